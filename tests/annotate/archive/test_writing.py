"""An export is of one moment, and holds nobody up."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from featureviz.annotate.archive.writing import lines

STARTS = {
    "sqlite": ["BEGIN DEFERRED"],  # reads what was there, and takes no lock to write
    "postgresql": ["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
}


@pytest.mark.django_db(transaction=True)
def test_everything_is_read_in_one_transaction_that_only_reads():
    with CaptureQueriesContext(connection) as asked:
        list(lines())
    said = [each["sql"] for each in asked.captured_queries]
    starts = STARTS[connection.vendor]
    assert said[: len(starts)] == starts
    assert said[-1] == "COMMIT"
    assert not [sql for sql in said[len(starts) : -1] if not sql.startswith(("SELECT", "DECLARE"))]


@pytest.mark.django_db(transaction=True)
def test_what_is_written_later_begins_as_before():
    before = getattr(connection, "transaction_mode", None)
    list(lines())
    assert getattr(connection, "transaction_mode", None) == before
