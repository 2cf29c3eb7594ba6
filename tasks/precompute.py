"""The precompute's task, and where it is done: the engine's bench."""

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

import torch
from celery import shared_task
from django.conf import settings

from featureviz.catalog import runs
from featureviz.catalog.models import Run
from featureviz.engine.device import found
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench, Report
from featureviz.engine.relations import Relating
from featureviz.engine.subject import Subject
from tasks import jobs
from tasks.answers import BesideJobs
from tasks.upkeep import served, stopping


class NotedBench(Bench):
    """The engine's bench; once the model is loaded, its run knows on what device."""

    def __init__(self, run: Run, store: Path) -> None:
        super().__init__(Plan.from_json(run.plan), store, found(settings.FEATUREVIZ_DEVICE))
        self._run = run
        self._relating: tuple[str, Relating] | None = None

    @cached_property
    def subject(self) -> Subject:
        """The language model."""
        subject = super().subject
        runs.note_device(self._run, in_words(subject.device))
        return subject

    def relate(self, other: Run, number: int, report: Report) -> None:
        """Relate one block to another run; what its blocks share is kept for the next."""
        if self._relating is None or self._relating[0] != other.key:
            self._relating = other.key, Relating(self, Plan.from_json(other.plan))
        self._relating[1].block(number, report)


def in_words(device: torch.device) -> str:
    """A device as people know it: `cpu, 2 threads`, `cuda: NVIDIA H200`."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' * (threads != 1)}"


def open_bench(run: Run) -> AbstractContextManager[jobs.Bench]:
    """The engine's bench for a run."""
    return NotedBench(run, Path(settings.FEATUREVIZ_STORE))


@shared_task(name="precompute.work")
def work() -> None:
    """Do every job this worker is for, of any run; a message more or less changes nothing."""
    jobs.work(open_bench, stop=stopping, watch=BesideJobs(served()), queues=served())
