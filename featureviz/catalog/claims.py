"""The life of a job: claimed, kept alive, finished, given back.

The row is the truth about a job, not the broker. Every change is one conditional UPDATE: two
workers never hold a job at once, and one that lost its job (it was thought dead) changes nothing.
"""

import os
import socket
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from featureviz.catalog.models import Job, Run

ACTIVE = (Run.State.PLANNED, Run.State.RUNNING)
STALE_AFTER = timedelta(seconds=60)  # many times the pause between two heartbeats
MOST_ATTEMPTS = 3


def this_worker() -> str:
    """Who works here: machine and process."""
    return f"{_this_machine()}:{os.getpid()}"


def waiting(run: Run | None = None) -> QuerySet[Job]:
    """Jobs that can be claimed, oldest run first; blocks wait for all shards of their run."""
    unread = Job.objects.filter(run=OuterRef("run"), kind=Job.Kind.SHARD).exclude(
        state=Job.State.DONE
    )
    jobs = Job.objects.filter(state=Job.State.WAITING, run__state__in=ACTIVE)
    if run is not None:
        jobs = jobs.filter(run=run)
    return jobs.filter(Q(kind=Job.Kind.SHARD) | ~Exists(unread)).order_by(
        "run__created_at", "run", "-kind", "number"
    )


def claim(worker: str, run: Run | None = None) -> Job | None:
    """Take the next waiting job, of `run` or of any; None when there is none now."""
    while job := waiting(run).select_related("run__dictionary__model").first():
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
    mine = _held(job).filter(run__state=Run.State.RUNNING)
    return bool(mine.update(done=done, heartbeat=timezone.now()))


def finish(job: Job) -> bool:
    """The job's file is written; False when somebody else holds the job by now."""
    return bool(_held(job).update(state=Job.State.DONE, done=F("size"), heartbeat=timezone.now()))


def release(job: Job) -> None:
    """Give a job back undone; this does not count as an attempt."""
    _held(job).update(state=Job.State.WAITING, done=0, worker="", attempts=F("attempts") - 1)


@transaction.atomic
def fail(job: Job, problem: str) -> None:
    """Stop the job and its run, and say why in plain words."""
    if _held(job).update(state=Job.State.FAILED, problem=problem):
        Run.objects.filter(pk=job.run_id, state__in=ACTIVE).update(
            state=Run.State.FAILED, problem=problem
        )


def reap(stale_after: timedelta = STALE_AFTER) -> int:
    """Take jobs back from workers that are gone; returns how many.

    After three attempts the run fails: the job itself seems to kill its workers.
    """
    gone = [
        job for job in Job.objects.filter(state=Job.State.RUNNING) if gone_silent(job, stale_after)
    ]
    return sum(map(_take_back, gone))


def gone_silent(job: Job, stale_after: timedelta = STALE_AFTER) -> bool:
    """Whether the worker that last held a job is dead, or has not been heard of for too long."""
    if job.heartbeat is None or timezone.now() - job.heartbeat > stale_after:
        return True
    machine, _, process = job.worker.rpartition(":")
    return machine == _this_machine() and not _is_alive(int(process))


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
        if run.provenance.get("stage", {}).get("kind") == job.kind:
            return
        done = sum(run.jobs.filter(kind=job.kind).values_list("done", flat=True))
        run.provenance["stage"] = {"kind": job.kind, "since": now.isoformat(), "done": done}
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
