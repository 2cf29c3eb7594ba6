"""Questions of readers: asked once, answered once, never lost with a worker."""

from datetime import timedelta

import pytest
from django.utils import timezone

from featureviz.catalog import questions
from featureviz.catalog.models import Question, Worker
from tests.catalog import toy

pytestmark = pytest.mark.django_db
KIND = Question.Kind.TEXT


@pytest.fixture
def run(store):
    return toy.register(store)


def state(question):
    question.refresh_from_db()
    return question.state


def grow_old(question, **age):
    Question.objects.filter(pk=question.pk).update(heartbeat=timezone.now() - timedelta(**age))


def test_who_asks_the_same_meets_the_same_row_and_its_answer(run):
    first = questions.ask(run, KIND, index=1, text="a")
    questions.answer(questions.claim(), {"tokens": [1]})
    second = questions.ask(run, KIND, text="a", index=1)
    assert (second.pk, second.answer) == (first.pk, {"tokens": [1]})
    assert questions.ask(run, KIND, index=1, text="b").pk != first.pk


def test_the_question_that_waits_longest_is_answered_first(run):
    asked = [questions.ask(run, KIND, index=index, text="a") for index in range(3)]
    assert [questions.ahead(each) for each in asked] == [0, 1, 2]
    assert [questions.claim().pk for _ in asked] == [each.pk for each in asked]
    assert questions.claim() is None


def test_when_very_many_wait_another_one_is_not_taken(run, monkeypatch):
    monkeypatch.setattr(questions, "MOST_WAITING", 1)
    questions.ask(run, KIND, index=1, text="a")
    questions.ask(run, KIND, index=1, text="a")  # it is there already
    with pytest.raises(questions.TooMany):
        questions.ask(run, KIND, index=1, text="b")


def test_what_failed_is_asked_anew_and_what_was_refused_is_not(run):
    failed, refused = (questions.ask(run, KIND, index=1, text=text) for text in "ab")
    questions.fail(questions.claim(), "The disk is full.")
    questions.refuse(questions.claim(), "Too long.")
    assert questions.ask(run, KIND, index=1, text="a").is_open
    assert questions.ask(run, KIND, index=1, text="b").problem == "Too long."
    assert (state(failed), state(refused)) == ("waiting", "refused")


def test_a_question_whose_worker_died_waits_again_and_fails_the_second_time(run):
    asked = questions.ask(run, KIND, index=1, text="a")
    for expected in ("waiting", "failed"):
        questions.claim()
        questions.reap()
        assert state(asked) == "running"  # this process is alive
        grow_old(asked, minutes=2)
        questions.reap()
        assert state(asked) == expected
    assert "Two workers" in asked.problem


def test_a_worker_that_lost_its_question_changes_nothing(run):
    asked = questions.ask(run, KIND, index=1, text="a")
    lost = questions.claim()
    grow_old(asked, minutes=2)
    questions.reap()
    questions.answer(questions.claim(), {"tokens": [2]})
    questions.answer(lost, {"tokens": [1]})
    asked.refresh_from_db()
    assert asked.answer == {"tokens": [2]}


def test_a_pulse_keeps_a_long_answer_from_being_taken_away(run):
    asked = questions.ask(run, KIND, index=1, text="a")
    held = questions.claim()
    grow_old(asked, minutes=2)
    questions.beat(held)
    questions.reap()
    assert state(asked) == "running"


def test_waiting_ends_with_the_answer_or_with_the_time(run):
    asked = questions.ask(run, KIND, index=1, text="a")
    assert questions.wait(asked, 0.05).state == "waiting"
    questions.answer(questions.claim(), {"tokens": []})
    assert questions.wait(asked, 60).state == "answered"


def test_texts_are_forgotten_after_a_day(run):
    asked = questions.ask(run, KIND, index=1, text="a")
    questions.forget()
    assert Question.objects.exists()
    Question.objects.update(asked_at=timezone.now() - timedelta(days=2))
    questions.forget()
    assert not Question.objects.filter(pk=asked.pk).exists()


def test_a_worker_counts_as_there_until_it_leaves_or_falls_silent(run):
    assert not questions.is_anyone_there(KIND)
    questions.i_am_here()
    questions.i_am_here()
    assert questions.is_anyone_there(KIND)
    assert Worker.objects.count() == 1
    Worker.objects.update(seen_at=timezone.now() - timedelta(seconds=20))
    assert not questions.is_anyone_there(KIND)
    questions.i_am_here()
    questions.i_leave()
    assert not questions.is_anyone_there(KIND)
