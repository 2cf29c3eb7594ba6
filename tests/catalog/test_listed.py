"""Whole numbers of many rows: what the database has now, read once where it can tell."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from featureviz.catalog.listed import many_whole_numbers, whole_numbers

ROWS = "auth_user WHERE username <> %s"


def ids(read=many_whole_numbers):
    (found,) = read(["id"], ROWS, ["nobody"])
    return sorted(found.tolist())


def elsewhere(call):
    """Over a connection of its own."""

    def called():
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(called).result()


def times_read():
    with CaptureQueriesContext(connection) as asked:
        ids()
    return sum("auth_user" in each["sql"] for each in asked)


@pytest.mark.django_db
def test_columns_are_read_in_the_same_order():
    users = [User.objects.create(username=f"u{at}", is_staff=bool(at % 2)) for at in range(9)]
    keys, staff = whole_numbers(["id", "CAST(is_staff AS integer) + 5"], ROWS, ["u3"])
    expected = {user.pk: 5 + user.is_staff for user in users if user.username != "u3"}
    assert dict(zip(keys.tolist(), staff.tolist(), strict=True)) == expected


@pytest.mark.django_db
def test_no_rows_are_no_numbers():
    assert ids(whole_numbers) == ids() == []


@pytest.mark.django_db(transaction=True)
def test_many_are_those_of_now_whoever_wrote():
    first = User.objects.create(username="first").pk
    assert ids() == ids() == [first]
    second = User.objects.create(username="second").pk
    assert ids() == [first, second]
    third = elsewhere(lambda: User.objects.create(username="third").pk)
    assert ids() == elsewhere(ids) == [first, second, third]
    elsewhere(lambda: User.objects.filter(pk=first).delete())
    assert ids() == [second, third]


@pytest.mark.django_db(transaction=True)
def test_many_are_those_of_now_inside_a_transaction_and_after_it_is_undone():
    first = User.objects.create(username="first").pk
    assert ids() == [first]
    with transaction.atomic():
        second = User.objects.create(username="second").pk
        assert ids() == [first, second]
        transaction.set_rollback(True)
    assert ids() == [first]


@pytest.mark.django_db(transaction=True)
def test_many_are_those_of_now_when_a_writer_commits_who_was_at_work_before():
    first = User.objects.create(username="first").pk
    with transaction.atomic():
        User.objects.create(username="slow")
        if connection.vendor == "postgresql":  # SQLite in memory lets nobody in meanwhile
            quick = elsewhere(lambda: User.objects.create(username="quick").pk)
            assert elsewhere(lambda: (ids(), ids())) == ([first, quick], [first, quick])
    assert elsewhere(ids) == ids() == sorted(User.objects.values_list("pk", flat=True))


@pytest.mark.django_db(transaction=True)
def test_many_are_read_once_where_the_database_tells_that_nobody_wrote():
    User.objects.create(username="first")
    reads = [times_read() for _ in range(200)]  # others may write meanwhile
    assert (0 in reads) == (connection.vendor == "postgresql")


@pytest.mark.django_db(transaction=True)
def test_nobody_changes_what_is_kept():
    User.objects.create(username="first")
    for _ in range(2):
        (found,) = many_whole_numbers(["id"], ROWS, ["nobody"])
    assert found.flags.writeable == (connection.vendor != "postgresql")
