"""What readers ask of workers: asked by a page, answered by any worker, looked up by the page.

To add a kind: name it in Question.Kind, ask it with `ask`, answer it in tasks/answers.py. The row
is the truth, as with jobs; a message only wakes a worker up. Texts that people typed are forgotten
after a day.
"""

import hashlib
import json
from collections.abc import Collection
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from featureviz.catalog.claims import gone_silent, this_worker
from featureviz.catalog.models import Question, Run, Worker
from featureviz.catalog.queues import EVERY, OF_QUESTIONS, questions_in
from featureviz.celery import Queue, enqueue

MOST_WAITING = 200  # beyond, a reader is asked to come back
KEPT = timedelta(days=1)
PRESENT = timedelta(seconds=15)  # a worker says it is there every two
_MOST_ATTEMPTS = 2
_LOOK_SECONDS = 0.03
_GONE = "Two workers stopped at it without a word. Their log may tell more."


class TooMany(Exception):  # noqa: N818 - the site is well, only busy
    """So many questions wait that another one would not be answered soon."""


def ask(run: Run, kind: Question.Kind, **asked: Any) -> Question:
    """The question with its answer if it was answered before, else one that waits for a worker.

    One that failed is asked anew; one that was refused stays so. Raises: TooMany.
    """
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    found = Question.objects.filter(run=run, kind=kind, digest=digest).first()
    if found is None:
        if Question.objects.filter(state=Question.State.WAITING).count() >= MOST_WAITING:
            raise TooMany
        found, _ = Question.objects.get_or_create(
            run=run,
            kind=kind,
            digest=digest,
            defaults={"asked": asked, "asked_at": timezone.now()},
        )
    if found.state == Question.State.FAILED:
        again(found)
    if found.state == Question.State.WAITING:
        enqueue("questions.answer", queue=OF_QUESTIONS[kind])
    return found


def again(question: Question) -> None:
    """Let an ended question wait once more."""
    question.state, question.problem, question.attempts = Question.State.WAITING, "", 0
    question.asked_at = timezone.now()
    question.save(update_fields=["state", "problem", "attempts", "asked_at"])


def lookup(run: Run, kind: Question.Kind, **asked: Any) -> Question | None:
    """The question as it stands, if anybody asked it."""
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return Question.objects.filter(run=run, kind=kind, digest=digest).first()


def wait(question: Question, seconds: float) -> Question:
    """Wait for the answer, but not longer than that; a quick worker saves a reader the waiting."""
    until = monotonic() + seconds
    while question.is_open and monotonic() < until:
        sleep(_LOOK_SECONDS)
        question.refresh_from_db()
    return question


def ahead(question: Question) -> int:
    """How many others are answered before it."""
    waiting = Question.objects.filter(state=Question.State.WAITING)
    return waiting.filter(asked_at__lt=question.asked_at).count()


def claim(queues: Collection[Queue] = EVERY) -> Question | None:
    """Take the question that waits longest; None when there is none."""
    while (
        question := _waiting(queues)
        .order_by("asked_at")
        .select_related("run__dictionary__model")
        .first()
    ):
        taken = Question.objects.filter(pk=question.pk, state=Question.State.WAITING).update(
            state=Question.State.RUNNING,
            worker=this_worker(),
            heartbeat=timezone.now(),
            attempts=F("attempts") + 1,
            done=0,
        )
        if taken:
            question.refresh_from_db(fields=["state", "worker", "heartbeat", "attempts"])
            return question
    return None


def note(question: Question, done: int, size: int) -> None:
    """Say how far the answer is."""
    _held(question).update(done=done, size=size, heartbeat=timezone.now())


def answer(question: Question, found: Any) -> None:
    """The answer, as plain values."""
    _held(question).update(state=Question.State.ANSWERED, answer=found, heartbeat=timezone.now())


def refuse(question: Question, problem: str) -> None:
    """What was asked cannot be answered, and why."""
    _held(question).update(state=Question.State.REFUSED, problem=problem)


def fail(question: Question, problem: str) -> None:
    """Something went wrong that is not the reader's fault."""
    _held(question).update(state=Question.State.FAILED, problem=problem)


def waits(queues: Collection[Queue] = EVERY) -> bool:
    """Whether a worker that looks now would find a question."""
    reap()
    return _waiting(queues).exists()


def beat(question: Question) -> None:
    """Say that the answer is still being worked on."""
    _held(question).update(heartbeat=timezone.now())


def reap() -> None:
    """Let questions wait again whose worker is gone; fail those that seem to kill workers."""
    for question in Question.objects.filter(state=Question.State.RUNNING):
        if not gone_silent(question):
            continue
        if question.attempts >= _MOST_ATTEMPTS:
            fail(question, _GONE)
        else:
            _held(question).update(state=Question.State.WAITING, worker="")


def forget(kept: timedelta = KEPT) -> None:
    """Drop what was asked long ago, and workers not seen since."""
    long_ago = timezone.now() - kept
    Question.objects.filter(asked_at__lt=long_ago).delete()
    Worker.objects.filter(seen_at__lt=long_ago).delete()


def i_am_here(queues: Collection[Queue] = EVERY) -> None:
    """Say that this worker is there, and what it serves."""
    served = {"seen_at": timezone.now(), "queues": ",".join(sorted(queues))}
    Worker.objects.update_or_create(name=this_worker(), defaults=served)


def i_leave() -> None:
    """Say that this worker is going."""
    Worker.objects.filter(name=this_worker()).delete()


def is_anyone_there(kind: Question.Kind) -> bool:
    """Whether some worker that answers such questions was there within the last seconds."""
    present = Worker.objects.filter(seen_at__gt=timezone.now() - PRESENT)
    return present.filter(queues__contains=OF_QUESTIONS[kind]).exists()


def _waiting(queues: Collection[Queue]) -> QuerySet[Question]:
    return Question.objects.filter(state=Question.State.WAITING, kind__in=questions_in(queues))


def _held(question: Question) -> QuerySet[Question]:
    """The row as long as this very claim stands; the attempt tells claims apart."""
    return Question.objects.filter(
        pk=question.pk, state=Question.State.RUNNING, attempts=question.attempts
    )
