"""The feed: everything people did that a reader may see, in order, and no more."""

import pytest
from django.contrib.auth.models import AnonymousUser

from featureviz.annotate import comments, explanations, lists, workspaces
from featureviz.annotate.activity import latest
from featureviz.annotate.explanations import Signature
from featureviz.catalog.reading import Reader, reading_as
from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def dictionary(store):
    return make_run().dictionary


@pytest.fixture
def done(dictionary, people):
    """Five things by two people; two more that stand no more."""
    alice, bob = people["alice"], people["bob"]
    said = explanations.write(dictionary, 3, "Digits", Signature(bob))
    explanations.edit(said, "Dates", Signature(alice), version=1)
    comments.write(comments.Place(dictionary, 4, "0.2"), "Sure?", bob)
    lists.tag(dictionary, 2, "dates", alice)
    lists.add(lists.create("Mine", bob), dictionary, 1, bob)
    explanations.withdraw(explanations.write(dictionary, 5, "Wrong", Signature(bob)))
    lists.tag(dictionary, 2, "gone", alice)
    lists.untag(dictionary, 2, "gone", alice)
    return dictionary


def told(events):
    return [(event.who, event.did, event.latent.rpartition("/")[2]) for event in events]


def test_the_newest_is_told_first_and_what_was_taken_back_is_not(done, people):
    assert told(latest(people["bob"])) == [
        ("bob", "listed", "1"),
        ("alice", "tagged", "2"),
        ("bob", "commented", "4"),
        ("alice", "edited", "3"),
        ("bob", "explained", "3"),
    ]


def test_one_persons_work_is_told_alone(done, people):
    assert {event.who for event in latest(people["bob"], by=people["alice"])} == {"alice"}


def test_each_page_goes_on_where_the_one_before_ended(done, people):
    every = latest(people["bob"])
    first = latest(people["bob"], most=2)
    assert first + latest(people["bob"], before=first[-1].at) == every


def seen_by(someone):
    with reading_as(Reader(someone)):
        return latest(someone)


def test_private_lists_and_dictionaries_are_told_to_nobody_else(done, people):
    assert "listed" in {event.did for event in seen_by(people["bob"])}
    assert {event.did for event in seen_by(people["charlie"])} == {
        "commented", "edited", "explained", "tagged",
    }  # fmt: skip
    team = workspaces.create("Secret", people["alice"])
    workspaces.move(done, team)
    assert seen_by(people["charlie"]) == []
    assert seen_by(AnonymousUser()) == []
    assert seen_by(people["alice"])


def test_the_page_shows_it_and_what_is_ones_own(done, accounts, browsers):
    page = browsers["bob"].get("/accounts/activity/").content.decode()
    assert "commented" in page
    assert 'href="/demo/sae/3#explanation-' in page
    mine = browsers["bob"].get("/accounts/activity/?by=me&before=nonsense").content.decode()
    assert "commented" in mine
    assert "alice" not in mine
    assert browsers["nobody"].get("/accounts/activity/?by=me").status_code == 302
