"""List the runs; cancel one, or give one back to the workers."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from featureviz.catalog import relations, runs
from featureviz.catalog.models import Run
from featureviz.celery import enqueue
from tasks.bars import rate_and_time_left
from tasks.ready import check_database


class Command(BaseCommand):
    """What is being computed, and how far it is."""

    help = "List the runs, newest first; cancel or resume one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A run is named by the beginning of its key."""
        parser.add_argument("--cancel", metavar="KEY", help="stop a run; what is done is kept")
        parser.add_argument("--resume", metavar="KEY", help="let the workers go on with a run")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run it."""
        check_database()
        try:
            if options["cancel"]:
                runs.cancel(runs.find(options["cancel"]))
            if options["resume"]:
                runs.resume(runs.find(options["resume"]))
                enqueue("precompute.work")
        except runs.CatalogError as error:
            raise CommandError(str(error), returncode=2) from error
        for run in Run.objects.select_related("dictionary__model", "corpus"):
            self.stdout.write(_line(run))


def _line(run: Run) -> str:
    line = f"{run.key[:8]}  {run.state:9}  {run.dictionary} on {run.corpus}"
    is_over = run.state == Run.State.DONE and not relations.are_unfinished(run)
    if is_over or run.state == Run.State.CANCELLED:
        return line
    if run.problem:
        return f"{line}: {run.problem}"
    progress = runs.progress(run)
    words = [f"{progress.stage} {progress.done:,}/{progress.total:,}", rate_and_time_left(progress)]
    return f"{line}: {', '.join(filter(None, words))}"
