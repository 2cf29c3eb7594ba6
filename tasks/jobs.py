"""What a worker does: take a job, do it at its run's bench, take the next.

Knows no Celery and no torch. Safe to run anywhere, any number of times, beside any number of
others: catalog/claims.py sees to it.
"""

import errno
import logging
import resource
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from time import sleep
from typing import Protocol, Self

from django.db import connection

from featureviz.catalog import claims, runs
from featureviz.catalog.models import Job, Run
from featureviz.catalog.queues import EVERY
from featureviz.celery import Queue
from featureviz.engine.errors import EngineError

BEAT_SECONDS = 1.0
LOOK_SECONDS = 0.3  # between two looks at a run that others work on

logger = logging.getLogger(__name__)


class Bench(Protocol):
    """Where a run's jobs are done: the model is loaded there."""

    def shard(self, number: int, report: Callable[[int], None]) -> None:
        """Do one shard; doing it twice writes the same bytes."""

    def block(self, number: int, report: Callable[[int], None]) -> None:
        """Do one block of latents; doing it twice writes the same bytes."""

    def relate(self, other: Run, number: int, report: Callable[[int], None]) -> None:
        """Relate one block of latents to another run; doing it twice writes the same bytes."""


OpenBench = Callable[[Run], AbstractContextManager[Bench]]


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """The job is no longer to be done here: cancelled, taken away, or the worker stops."""


def _never() -> bool:
    return False


def _nothing() -> None:
    pass


at_work = threading.Lock()  # held while this process does jobs


class Desk:
    """The bench in use; opened anew only for another run, so a model is loaded once."""

    def __init__(self, open_bench: OpenBench) -> None:
        self._open = open_bench
        self._stack = ExitStack()
        self._key = ""
        self._bench: Bench | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def bench(self, run: Run) -> Bench:
        """The bench of a run."""
        if self._bench is None or self._key != run.key:
            self._stack.close()
            self._bench = self._stack.enter_context(self._open(run))
            self._key = run.key
        return self._bench


def work(
    open_bench: OpenBench,
    run: Run | None = None,
    stop: Callable[[], bool] = _never,
    watch: Callable[[], None] = _nothing,
    queues: Collection[Queue] = EVERY,
) -> None:
    """Do jobs, of `run` or of any, until none can be claimed. `watch` is called at every step."""
    with at_work, Desk(open_bench) as desk:
        while not stop():
            watch()
            claims.reap()
            for finished in runs.publishable(run):
                _publish(finished)
            job = claims.claim(claims.this_worker(), run, queues)
            if job is None:
                return
            perform(job, desk, stop, watch)


def see_through(run: Run, open_bench: OpenBench, watch: Callable[[], None] = _nothing) -> Run:
    """Work on a run, and then on its relations, until all is done, whoever else helps.

    Returns its final row.
    """
    while True:
        work(open_bench, run, watch=watch)
        run.refresh_from_db()
        watch()
        if run.state not in claims.ACTIVE and not claims.is_relating(run):
            return run
        sleep(LOOK_SECONDS)


def work_waits(queues: Collection[Queue] = EVERY) -> bool:
    """Whether a worker that looks now would find something to do."""
    claims.reap()
    return claims.waiting(queues=queues).exists() or bool(runs.publishable())


def perform(
    job: Job,
    desk: Desk,
    stop: Callable[[], bool] = _never,
    watch: Callable[[], None] = _nothing,
) -> None:
    """Do one job and write down how it went; the last of a run publishes it."""
    try:
        with _pulse(job, stop, watch) as report:
            _do(job, desk.bench(job.run), report)
    except (Interrupted, KeyboardInterrupt) as interruption:
        claims.release(job)
        if isinstance(interruption, KeyboardInterrupt):
            raise
    except Exception as error:
        logger.exception("%s failed", job)
        claims.fail(job, in_plain_words(error, job.run))
    else:
        claims.finish(job)
        runs.note_memory(job.run, _peak_megabytes())
        if job.kind == Job.Kind.BLOCK:
            _publish(job.run)


def in_plain_words(error: BaseException, run: Run, again: str = "") -> str:
    """What went wrong and how to mend it, for people; `again` says how to go on then."""
    again = again or f"`python manage.py precompute --resume {run.key[:8]}` goes on from here."
    for cause in _causes(error):
        if isinstance(cause, EngineError | runs.CatalogError):
            return f"{cause} {again}"
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"The disk is full ({run.folder}). Free some space; {again}"
        if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
            return f"The machine ran out of memory. End what else runs there; {again}"
        if isinstance(cause, OSError) and cause.filename:
            return f"{cause.filename}: {cause.strerror}. Mend that; {again}"
    first = next(iter(str(error).splitlines()), "")
    return (
        f"This should not happen: {type(error).__name__}: {first} "
        f"The worker's log says where. {again}"
    )


def _do(job: Job, bench: Bench, report: Callable[[int], None]) -> None:
    if job.other is not None:
        bench.relate(job.other, job.number, report)
    elif job.kind == Job.Kind.SHARD:
        bench.shard(job.number, report)
    else:
        bench.block(job.number, report)


def _publish(run: Run) -> None:
    try:
        runs.publish_if_done(run)
    except Exception as error:
        logger.exception("%s could not be published", run)
        runs.fail(run, in_plain_words(error, run))


@contextmanager
def _pulse(
    job: Job, stop: Callable[[], bool], watch: Callable[[], None]
) -> Iterator[Callable[[int], None]]:
    """Keep a job alive from a thread of its own: a model may take minutes to load.

    Yields what the job reports to; it raises Interrupted once the job is not to be done here.
    """
    over, lost = threading.Event(), threading.Event()
    progress = [0]

    def report(done: int) -> None:
        progress[0] = done
        if lost.is_set() or stop():
            raise Interrupted
        watch()

    thread = threading.Thread(target=_beat, args=(job, progress, over, lost), daemon=True)
    thread.start()
    try:
        yield report
    finally:
        over.set()
        thread.join()


def _beat(job: Job, progress: list[int], over: threading.Event, lost: threading.Event) -> None:
    try:
        while not over.wait(BEAT_SECONDS):
            try:
                alive = claims.beat(job, progress[0])
            except Exception:  # a database that is busy or away for a moment stops no job
                logger.warning("%s: no heartbeat this time", job, exc_info=True)
                continue
            if not alive:
                lost.set()
                return
    finally:
        connection.close()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _peak_megabytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
