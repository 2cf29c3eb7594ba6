"""The task of tasks/precompute.py with the toy bench: everything else is the project's own."""

from celery import shared_task

from tasks import jobs
from tasks.upkeep import served, stopping
from tests.catalog.toy import open_bench


@shared_task(name="precompute.work")
def work() -> None:
    jobs.work(open_bench, stop=stopping, queues=served())
