"""Rating sessions: what is drawn, in which order, when they close."""

import pytest

from featureviz.annotate import ratings, sessions, workspaces
from featureviz.annotate.rating_models import Rating, RatingSession
from featureviz.annotate.ratings import LockedError
from featureviz.annotate.rubric import Answers
from featureviz.annotate.sessions import Asked
from featureviz.annotate.texts import AnnotateError
from featureviz.catalog.models import Latent
from tests.factories import TEXTS, make_run

pytestmark = pytest.mark.django_db
ASKED = ("top", "10")
DRAWN = [
    "demo/sae/5",
    "demo/neurons/4",
    "demo/neurons/1",
    "demo/sae/3",
    "demo/sae/2",
    "demo/neurons/6",
]
WHOLE = Answers("Dates", 2, 2, 1, 3, {"top": 5, "10": 4})


@pytest.fixture
def two(team, people):
    """The team's dictionaries, sae and neurons, and how a session over them is asked for."""
    workspaces.move(make_run(dictionary="neurons").dictionary, team)
    raters = [people["alice"], people["bob"]]
    return lambda **change: Asked(
        **{
            "name": "First",
            "seed": 7,
            "workspace": team,
            "dictionaries": list(team.dictionaries.order_by("name")),
            "count": 3,
            "raters": raters,
        }
        | change
    )


def drawn(session):
    return [str(latent) for latent in session.latents.select_related("dictionary__model")]


def test_a_session_mixes_latents_of_each_dictionary(two, people):
    session = sessions.create(two(), people["alice"])
    names = [latent.dictionary.name for latent in session.latents.all()]
    assert sorted(names) == ["neurons"] * 3 + ["sae"] * 3
    assert names != sorted(names)
    assert [latent.number for latent in session.latents.all()] == [1, 2, 3, 4, 5, 6]


def test_the_seed_decides_which_latents_and_in_which_order(two, people):
    first, again = (drawn(sessions.create(two(), people["alice"])) for _ in range(2))
    other = drawn(sessions.create(two(seed=8), people["alice"]))
    assert first == again
    assert first != other


def test_what_is_drawn_depends_on_addresses_not_on_keys_of_the_database(two, people):
    """Pinned: the same seed gives the same session on any database, today and later."""
    assert drawn(sessions.create(two(), people["alice"])) == DRAWN


def test_only_latents_that_fired_are_drawn_all_of_them_where_there_are_fewer(two, people):
    session = sessions.create(two(count=200), people["alice"])
    assert session.latents.count() == Latent.objects.alive().count()
    assert Latent.objects.dead().exists()


def test_of_a_signed_latent_an_active_end_is_drawn(two, people):
    Latent.objects.filter(run__dictionary__name="neurons").update(n_negative=9)
    Latent.objects.filter(run__dictionary__name="neurons", index=0).update(n_active=0)
    session = sessions.create(two(count=200), people["alice"])
    ends = session.latents.filter(dictionary__name="neurons")
    assert ends.get(index=0).is_negative
    assert {each.is_negative for each in ends} == {True, False}
    assert not session.latents.filter(dictionary__name="sae", is_negative=True).exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "a name"),
        ({"seed": -1}, "whole number"),
        ({"dictionaries": []}, "one dictionary"),
        ({"count": 0}, "latents of each"),
        ({"count": 201}, "latents of each"),
        ({"raters": []}, "who rates"),
    ],
)
def test_a_session_that_cannot_be_is_refused(two, people, change, said):
    with pytest.raises(AnnotateError, match=said):
        sessions.create(two(**change), people["alice"])
    assert not RatingSession.objects.exists()


def test_dictionaries_over_different_texts_would_be_told_apart(two, people, team):
    other = make_run(dictionary="elsewhere", texts=TEXTS[::-1]).dictionary
    with pytest.raises(AnnotateError, match="different texts"):
        sessions.create(two(dictionaries=[*team.dictionaries.all(), other]), people["alice"])


def test_raters_are_those_who_may_write_there(team, people):
    able = sessions.able_to_rate(team, people["alice"])
    assert [each.username for each in able] == ["alice", "bob", "edith"]


@pytest.fixture
def session(two, people):
    return sessions.create(two(count=1), people["alice"])


def test_a_draft_is_kept_and_changed(session, people):
    latent = session.latents.first()
    ratings.keep(latent, people["bob"], Answers("Da", confidence=1))
    ratings.keep(latent, people["bob"], Answers("Dates", confidence=2, tokens={"top": 5}))
    kept = Rating.objects.get()
    assert kept.answers == Answers("Dates", confidence=2, tokens={"top": 5})
    assert kept.submitted_at is None


def test_what_is_submitted_is_locked(session, people):
    latent = session.latents.first()
    ratings.submit(latent, people["bob"], WHOLE, ASKED)
    for change in (
        lambda: ratings.keep(latent, people["bob"], Answers("Other")),
        lambda: ratings.submit(latent, people["bob"], WHOLE, ASKED),
    ):
        with pytest.raises(LockedError):
            change()
    assert Rating.objects.get().answers == WHOLE


def test_what_is_not_whole_is_not_submitted(session, people):
    with pytest.raises(AnnotateError):
        ratings.submit(session.latents.first(), people["bob"], WHOLE, ("top", "10", "9"))
    assert not Rating.objects.exists()


def test_a_session_closes_with_the_last_submission(session, people):
    for person in (people["alice"], people["bob"]):
        for latent in session.latents.all():
            session.refresh_from_db()
            assert session.closed_at is None
            ratings.submit(latent, person, WHOLE, ASKED)
    session.refresh_from_db()
    assert session.closed_at is not None
    assert session.closed_by is None


def test_nothing_is_rated_once_the_session_is_closed(session, people):
    sessions.close(session, people["alice"])
    with pytest.raises(LockedError, match="closed"):
        ratings.keep(session.latents.first(), people["bob"], WHOLE)
    session.refresh_from_db()
    assert session.closed_by == people["alice"]
