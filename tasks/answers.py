"""How a worker answers what readers ask: one function a kind, over the engine.

A function takes the question's run, what is asked, and a report (done, of how many); it returns
plain values, or writes a file of the run. Knows no Celery.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from featureviz.catalog import questions
from featureviz.catalog.models import Question, Run
from featureviz.catalog.queues import EVERY
from featureviz.celery import Queue
from featureviz.dashboards.maps import write_map
from featureviz.dashboards.store import read_dashboard, write_pack
from featureviz.engine.device import found
from featureviz.engine.errors import TextError
from featureviz.engine.latent_map import latent_map as mapped
from featureviz.engine.pairs import pair_weights
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench, block_path
from featureviz.engine.typed import Typed, typed
from tasks import embeddings, jobs

Report = Callable[[int, int], None]  # done, of how many
Answer = Callable[[Run, dict[str, Any], Report], Any]
BETWEEN_LOOKS = 0.25  # seconds; during a job a worker looks for questions at most so often
_BEAT_SECONDS = 5.0
MOST_A_TOKEN = 200  # latents; dense dictionaries would answer with all there are

logger = logging.getLogger(__name__)


def effects(run: Run, asked: dict[str, Any], report: Report) -> None:
    """Every example's ablation effects of one latent, in a pack of its own."""
    index = int(asked["index"])
    bench = _bench(run.key)
    dashboard = read_dashboard(block_path(run.folder, index // run.block_size), index)
    write_pack(run.asked_pack(index), [bench.with_all_effects(dashboard, report)])


def text(run: Run, asked: dict[str, Any], _report: Report) -> dict[str, Any]:
    """One latent's activation on every token of a text."""
    found = typed(_bench(run.key), asked["text"])
    return {**_tokens(found), "activations": found.of(int(asked["index"]))}


def latents(run: Run, asked: dict[str, Any], _report: Report) -> dict[str, Any]:
    """The latents active on a text: where, and how strongly."""
    every = typed(_bench(run.key), asked["text"])
    found = every.strongest(MOST_A_TOKEN)
    return {
        **_tokens(found),
        "is_cut": len(found.values) < len(every.values),
        "positions": found.positions.tolist(),
        "latents": found.latents.tolist(),
        "values": found.values.tolist(),
    }


def latent_map(run: Run, _asked: dict[str, Any], _report: Report) -> None:
    """Where the run's latents lie to each other, in a file of the run."""
    bench = _bench(run.key)
    rows = bench.dictionary.W_dec[:: run.ends]
    write_map(run.folder, mapped(rows, bench.plan.dictionary_digest, bench.plan.seed))


def weights(run: Run, asked: dict[str, Any], _report: Report) -> dict[str, float | None]:
    """How a latent, or end, of the run and one of another go together by what they write."""
    cosine, logits = pair_weights(
        _bench(run.key), int(asked["latent"]), _bench(asked["other"]), int(asked["other_latent"])
    )
    return {"cosine": cosine, "logit_correlation": logits}


def meaning(_run: Run, asked: dict[str, Any], _report: Report) -> dict[str, Any]:
    """A text as a vector; the run has no part in it."""
    return embeddings.of_text(asked["text"])


def _tokens(found: Typed) -> dict[str, Any]:
    return {"tokens": found.tokens.tolist(), "counted": found.counted.tolist()}


_ANSWERS: dict[str, Answer] = {
    Question.Kind.EFFECTS: effects,
    Question.Kind.TEXT: text,
    Question.Kind.LATENTS: latents,
    Question.Kind.MAP: latent_map,
    Question.Kind.WEIGHTS: weights,
    Question.Kind.MEANING: meaning,
}


def answer_waiting(
    stop: Callable[[], bool] = lambda: False, queues: Collection[Queue] = EVERY
) -> None:
    """Answer every question that waits."""
    questions.reap()
    while not stop() and (question := questions.claim(queues)):
        _answer(question)


class BesideJobs:
    """Answers between the steps of a job, so that readers need not wait for its end."""

    def __init__(self, queues: Collection[Queue] = EVERY) -> None:
        self._queues = queues
        self._looked = 0.0

    def __call__(self) -> None:
        """Look for questions, unless that was done a moment ago."""
        if monotonic() - self._looked < BETWEEN_LOOKS:
            return
        try:
            answer_waiting(queues=self._queues)
        except Exception:  # a database that is busy or away for a moment stops no job
            logger.warning("could not look for questions", exc_info=True)
        self._looked = monotonic()


def _answer(question: Question) -> None:
    def report(done: int, size: int) -> None:
        questions.note(question, done, size)

    try:
        with _pulse(question):
            found = _ANSWERS[question.kind](question.run, question.asked, report)
    except TextError as error:
        questions.refuse(question, str(error))
    except Exception as error:
        logger.exception("%s failed", question)
        questions.fail(question, jobs.in_plain_words(error, question.run, "Then ask again."))
    else:
        questions.answer(question, found)


@contextmanager
def _pulse(question: Question) -> Iterator[None]:
    """Keep a question alive from a thread of its own: a model may take minutes to load."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(question, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(question: Question, over: threading.Event) -> None:
    try:
        while not over.wait(_BEAT_SECONDS):
            with suppress(DatabaseError):  # busy or away for a moment
                questions.beat(question)
    finally:
        connection.close()


@lru_cache(maxsize=4)  # the models behind them are shared
def _bench(key: str) -> Bench:
    run = Run.objects.get(key=key)
    device = found(settings.FEATUREVIZ_DEVICE)
    return Bench(Plan.from_json(run.plan), Path(settings.FEATUREVIZ_STORE), device)
