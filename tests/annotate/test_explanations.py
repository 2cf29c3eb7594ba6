"""What is written is kept, whoever writes, whatever is done to it."""

import threading

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, OperationalError, connection, transaction

from featureviz.annotate import explanations
from featureviz.annotate.explanations import CollisionError, Signature
from featureviz.annotate.models import Explanation, pinned_for
from featureviz.annotate.texts import AnnotateError
from tests.factories import make_run

pytestmark = pytest.mark.django_db
ANYBODY = AnonymousUser()
MODEL = Signature(model_name="llama-3-8b")


@pytest.fixture
def dictionary(store):
    return make_run().dictionary


@pytest.fixture
def alice(django_user_model):
    return Signature(django_user_model.objects.create_user("alice"))


@pytest.fixture
def bob(django_user_model):
    return Signature(django_user_model.objects.create_user("bob"))


def test_the_first_explanation_of_a_latent_is_pinned_and_the_next_is_not(dictionary, alice):
    first = explanations.write(dictionary, 3, "Digits", alice)
    second = explanations.write(dictionary, 3, "Numbers", MODEL)
    assert (first.is_pinned, second.is_pinned) == (True, False)
    assert (first.signature, second.signature) == ("alice", "llama-3-8b")


def test_pinned_explanations_are_found_by_index(dictionary, alice):
    explanations.write(dictionary, 3, "Digits", alice)
    explanations.write(dictionary, 5, "Names", MODEL)
    explanations.write(dictionary, 5, "Not this", alice)
    found = pinned_for(dictionary, [3, 4, 5])
    assert {index: each.text for index, each in found.items()} == {3: "Digits", 5: "Names"}


def test_pinning_another_leaves_one_pinned(dictionary, alice):
    explanations.write(dictionary, 3, "Digits", alice)
    second = explanations.write(dictionary, 3, "Numbers", alice)
    explanations.pin(second)
    assert pinned_for(dictionary, [3]) == {3: second}


def test_the_database_refuses_two_pinned_ones_of_a_latent(dictionary, alice):
    explanations.write(dictionary, 3, "Digits", alice)
    second = explanations.write(dictionary, 3, "Numbers", alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Explanation.objects.filter(pk=second.pk).update(is_pinned=True)


@pytest.mark.parametrize("changes", [{"author": None}, {"model_name": "llama"}])
def test_the_database_refuses_what_nobody_or_two_signed(dictionary, alice, changes):
    written = explanations.write(dictionary, 3, "Digits", alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Explanation.objects.filter(pk=written.pk).update(**changes)


def test_every_version_is_kept_with_who_wrote_it(dictionary, alice, bob):
    written = explanations.write(dictionary, 3, "Digits", alice)
    edited = explanations.edit(written, "Digits of years", bob, version=1)
    restored = explanations.restore(edited, 1, alice, version=2)
    assert (restored.text, restored.version) == ("Digits", 3)
    kept = [(each.number, each.text, each.signature) for each in written.versions.all()]
    assert kept == [(1, "Digits", "alice"), (2, "Digits of years", "bob"), (3, "Digits", "alice")]
    assert restored.author == alice.author


def test_an_edit_of_a_text_that_changed_meanwhile_overwrites_nothing(dictionary, alice, bob):
    written = explanations.write(dictionary, 3, "Digits", alice)
    explanations.edit(written, "Digits of years", bob, version=1)
    with pytest.raises(CollisionError) as collision:
        explanations.edit(written, "Digits in dates", alice, version=1)
    assert collision.value.standing.text == "Digits of years"
    assert collision.value.text == "Digits in dates"
    assert [each.text for each in written.versions.all()] == ["Digits", "Digits of years"]


def test_saving_what_stands_is_no_new_version(dictionary, alice):
    written = explanations.write(dictionary, 3, "Digits", alice)
    assert explanations.edit(written, " Digits\r\n", alice, version=1).version == 1


def test_what_is_withdrawn_is_kept_and_can_be_taken_back(dictionary, alice):
    written = explanations.write(dictionary, 3, "Digits", alice)
    explanations.withdraw(written)
    assert not Explanation.objects.readable(ANYBODY).exists()
    assert pinned_for(dictionary, [3]) == {}
    explanations.take_back(written)
    assert Explanation.objects.readable(ANYBODY).get().text == "Digits"


def test_a_withdrawn_explanation_cannot_be_pinned(dictionary, alice):
    written = explanations.write(dictionary, 3, "Digits", alice)
    explanations.withdraw(written)
    explanations.pin(written)
    assert pinned_for(dictionary, [3]) == {}


def test_explanations_of_what_is_not_published_are_not_read(store, alice):
    hidden = make_run(published=False).dictionary
    explanations.write(hidden, 3, "Digits", alice)
    assert not Explanation.objects.readable(ANYBODY).exists()


@pytest.mark.parametrize("text", ["", " \n", "\0", "x" * 10_001])
def test_a_text_that_is_empty_or_too_long_is_refused(dictionary, alice, text):
    with pytest.raises(AnnotateError):
        explanations.write(dictionary, 3, text, alice)


@pytest.mark.parametrize("index", [-1, 8])
def test_a_latent_that_is_not_there_is_not_explained(dictionary, alice, index):
    with pytest.raises(AnnotateError, match="ends at 7"):
        explanations.write(dictionary, index, "Digits", alice)


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_at_the_same_moment_one_is_told(dictionary, alice, bob):
    written = explanations.write(dictionary, 3, "Digits", alice)
    start, told = threading.Barrier(2), []

    def save(text, by):
        try:
            explanations.edit(written, text, by, version=1)
        except CollisionError as collision:
            told.append(collision.text)
        except OperationalError:  # SQLite in memory does not wait for the other's transaction
            save(text, by)

    def editor_of(text, by):
        start.wait()
        save(text, by)
        connection.close()

    editors = [threading.Thread(target=editor_of, args=pair) for pair in (("A", alice), ("B", bob))]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    [lost] = told
    assert {lost, written.versions.get(number=2).text} == {"A", "B"}
