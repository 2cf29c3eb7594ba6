"""The precompute's task, and where it is done: the engine's bench."""

from contextlib import AbstractContextManager
from pathlib import Path

from celery import shared_task
from django.conf import settings

from featureviz.catalog.models import Run
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench
from tasks import jobs
from tasks.upkeep import stopping


def open_bench(run: Run) -> AbstractContextManager[jobs.Bench]:
    """The engine's bench for a run."""
    return Bench(Plan.from_json(run.plan), Path(settings.FEATUREVIZ_STORE))


@shared_task(name="precompute.work")
def work() -> None:
    """Do every job there is, of any run; a message more or less changes nothing."""
    jobs.work(open_bench, stop=stopping)
