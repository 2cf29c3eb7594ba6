"""The life of a job: claimed, kept alive, finished, given back.

The row is the truth about a job, not the broker. Every change is one conditional UPDATE: two
workers never hold a job at once, and one that lost its job (it was thought dead) changes nothing.
"""

import os
import socket
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils import timezone

from featureviz.catalog.models import Job, Question, Run
from featureviz.catalog.queues import EVERY, jobs_in
from featureviz.celery import Queue

ACTIVE = (Run.State.PLANNED, Run.State.RUNNING)
UNDER_WAY = (Run.State.RUNNING, Run.State.DONE)  # a run that is done may still be related
STALE_AFTER = timedelta(seconds=60)  # many times the pause between two heartbeats
MOST_ATTEMPTS = 3
_RELATIONS_LAST = Case(When(kind=Job.Kind.RELATE, then=1), default=0)


def this_worker() -> str:
    """Who works here: machine and process."""
    return f"{_this_machine()}:{os.getpid()}"


def waiting(run: Run | None = None, queues: Collection[Queue] = EVERY) -> QuerySet[Job]:
    """Jobs that can be claimed, of any run or for one: oldest run first, relations last of all.

    Blocks wait for all shards of their run, relations for those of both runs, and for both to be
    published. Shards that a published run lost are read again for its relations.
    """
    jobs = Job.objects.filter(state=Job.State.WAITING, kind__in=jobs_in(queues))
    if run is not None:
        jobs = jobs.filter(_serves(run))
    shards = Q(kind=Job.Kind.SHARD, run__state__in=[*ACTIVE, Run.State.DONE])
    blocks = Q(~Exists(_unread("run")), kind=Job.Kind.BLOCK, run__state__in=ACTIVE)
    relations = Q(
        ~Exists(_unread("run")),
        ~Exists(_unread("other")),
        kind=Job.Kind.RELATE,
        run__state=Run.State.DONE,
        other__state=Run.State.DONE,
    )
    return jobs.filter(shards | blocks | relations).order_by(
        _RELATIONS_LAST, "run__created_at", "run", "-kind", "other_id", "number"
    )


def is_relating(run: Run) -> bool:
    """Whether a relation of a published run, or to it, is being done or can be."""
    held = Job.objects.filter(_serves(run), state=Job.State.RUNNING)
    return run.state == Run.State.DONE and (held.exists() or waiting(run).exists())


def claim(worker: str, run: Run | None = None, queues: Collection[Queue] = EVERY) -> Job | None:
    """Take the next waiting job, of `run` or of any; None when there is none now."""
    while job := waiting(run, queues).select_related("run__dictionary__model").first():
        taken = Job.objects.filter(pk=job.pk, state=Job.State.WAITING).update(
            state=Job.State.RUNNING,
            worker=worker,
            heartbeat=timezone.now(),
            attempts=F("attempts") + 1,
            done=0,
            problem="",
        )
        if taken:
            job.refresh_from_db(fields=["state", "worker", "heartbeat", "attempts", "done"])
            _begin(job)
            return job
    return None


def beat(job: Job, done: int) -> bool:
    """Say that the job is alive and how far it is; False when it is no longer ours to do."""
    mine = _held(job).filter(run__state__in=UNDER_WAY)
    return bool(mine.update(done=done, heartbeat=timezone.now()))


def finish(job: Job) -> bool:
    """The job's file is written; False when somebody else holds the job by now."""
    return bool(_held(job).update(state=Job.State.DONE, done=F("size"), heartbeat=timezone.now()))


def release(job: Job) -> None:
    """Give a job back undone; this does not count as an attempt."""
    _held(job).update(state=Job.State.WAITING, done=0, worker="", attempts=F("attempts") - 1)


@transaction.atomic
def fail(job: Job, problem: str) -> None:
    """Stop the job and its run, and say why in plain words.

    A published run stays so: only the relations that needed the job are stopped.
    """
    if not _held(job).update(state=Job.State.FAILED, problem=problem):
        return
    active = Run.objects.filter(pk=job.run_id, state__in=ACTIVE)
    if active.update(state=Run.State.FAILED, problem=problem):
        return
    pair = Q(run=job.run_id, other=job.other_id) if job.other_id else relations_of(job.run)
    Job.objects.filter(pair, kind=Job.Kind.RELATE, state=Job.State.WAITING).update(
        state=Job.State.FAILED, problem=problem
    )


def relations_of(run: Run) -> Q:
    """The relations of a run, and those to it."""
    return Q(kind=Job.Kind.RELATE) & (Q(run=run) | Q(other=run))


def reap(stale_after: timedelta = STALE_AFTER) -> int:
    """Take jobs back from workers that are gone; returns how many.

    After three attempts the run fails: the job itself seems to kill its workers.
    """
    gone = [
        job for job in Job.objects.filter(state=Job.State.RUNNING) if gone_silent(job, stale_after)
    ]
    return sum(map(_take_back, gone))


def gone_silent(job: Job | Question, stale_after: timedelta = STALE_AFTER) -> bool:
    """Whether the worker that last held a job is dead, or has not been heard of for too long."""
    if job.heartbeat is None or timezone.now() - job.heartbeat > stale_after:
        return True
    machine, _, process = job.worker.rpartition(":")
    return machine == _this_machine() and not _is_alive(int(process))


def _serves(run: Run) -> Q:
    """Jobs of a run, of relations to it, and shards that relations may wait for."""
    return Q(run=run) | Q(other=run) | Q(kind=Job.Kind.SHARD, run__state=Run.State.DONE)


def _unread(run: str) -> QuerySet[Job]:
    """Shards not yet read of the run that a job names so."""
    shards = Job.objects.filter(run=OuterRef(run), kind=Job.Kind.SHARD)
    return shards.exclude(state=Job.State.DONE)


def _held(job: Job) -> QuerySet[Job]:
    """The job's row as long as this very claim stands; the attempt tells claims apart."""
    return Job.objects.filter(
        pk=job.pk, state=Job.State.RUNNING, worker=job.worker, attempts=job.attempts
    )


def _begin(job: Job) -> None:
    """Note when the run, and this stage of it, began: rates are counted from there."""
    now = timezone.now()
    Run.objects.filter(pk=job.run_id, state=Run.State.PLANNED).update(
        state=Run.State.RUNNING, started_at=now
    )
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=job.run_id)
        stage = {"kind": job.kind, "other": job.other_id}
        if stage.items() <= run.provenance.get("stage", {}).items():
            return
        jobs = Job.objects.filter(relations_of(run)) if job.other_id else run.jobs
        done = sum(jobs.filter(kind=job.kind).values_list("done", flat=True))
        run.provenance["stage"] = {**stage, "since": now.isoformat(), "done": done}
        run.save(update_fields=["provenance"])


def _take_back(job: Job) -> int:
    if job.attempts >= MOST_ATTEMPTS:
        fail(
            job,
            f"{job.get_kind_display()} {job.number}: {job.attempts} workers stopped at it without "
            "a word. The machine may be short of memory; the workers' log may tell more.",
        )
        return 1
    unheard = _held(job).filter(heartbeat=job.heartbeat)
    return unheard.update(state=Job.State.WAITING, done=0, worker="")


def _this_machine() -> str:
    """Host name, boot and process space: within them a process id means one process."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not (boot.exists() and space.exists()):  # not Linux
        return socket.gethostname()[:60]
    return f"{socket.gethostname()[:60]}:{boot.read_text()[:8]}:{space.stat().st_ino}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
