"""Compute the dashboards of a dictionary: `precompute --model M --dictionary D --corpus C`."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from featureviz.catalog import claims, runs
from featureviz.catalog.models import Run
from featureviz.celery import enqueue
from featureviz.engine.errors import EngineError
from featureviz.engine.precompute import Request
from tasks.bars import LOOK_SECONDS, Bar
from tasks.jobs import see_through
from tasks.precompute import open_bench
from tasks.ready import check_database
from tasks.requests import place

BAD_INPUT = 2
INTERRUPTED = 130


class Command(BaseCommand):
    """Check the input, register the run, and do its jobs here, beside any workers there are."""

    help = "Compute the dashboards of every latent of a dictionary."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What a run is made of."""
        parser.add_argument("--model", help="Hugging Face folder, or a TransformerLens name")
        parser.add_argument("--dictionary", help="SAELens folder; or neurons, pca, ica, random")
        parser.add_argument("--corpus", type=Path, help=".txt, .jsonl (field text) or .parquet")
        parser.add_argument("--hook", help="hook point; else the one in the dictionary's cfg.json")
        parser.add_argument("--context-size", type=int, help="positions in a context")
        parser.add_argument("--max-contexts", type=int, help="read no more of the corpus than this")
        parser.add_argument("--name", help="of the dictionary, in addresses; else its folder's")
        parser.add_argument("--model-name", help="of the model, in addresses; else its folder's")
        parser.add_argument("--seed", type=int, default=0, help="of samples, ica and random")
        parser.add_argument(
            "--ablate",
            choices=("auto", "none", "top", "all"),
            default="auto",
            help="examples that get ablation effects; auto: all, or top where that is long",
        )
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers")
        parser.add_argument(
            "--resume", metavar="KEY", help="go on with a run, by its key's beginning"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Run it."""
        check_database()
        try:
            run = self._run(options)
        except (EngineError, runs.CatalogError) as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from error
        if run.state == Run.State.DONE and not claims.is_relating(run):
            self.stdout.write(f"Nothing to do: all of {run.dictionary} is there.")
        elif options["queue"]:
            enqueue("precompute.work")
            self.stdout.write(
                f"{run.dictionary} is queued as {run.key[:8]}. `celery -A featureviz worker` "
                "starts a worker; `python manage.py runs` shows how far it is."
            )
            return
        else:
            self._see_through(run, options.get("stdout") or sys.stdout)
        self.stdout.write(f"Read it at {run.dictionary.get_absolute_url()}")

    def _run(self, options: dict[str, Any]) -> Run:
        if options["resume"]:
            return runs.resume(runs.find(options["resume"]))
        missing = [name for name in ("model", "dictionary", "corpus") if not options[name]]
        if missing:
            needed = ", ".join(f"--{name}" for name in missing)
            raise runs.CatalogError(f"{needed} missing; `precompute --help` tells what they are.")
        names = Request.__dataclass_fields__.keys() & options.keys()
        return place(Request(**{name: options[name] for name in names}), self.stderr.write)

    def _see_through(self, run: Run, stream: TextIO) -> None:
        try:
            with Bar(stream) as bar:
                run = see_through(run, open_bench, _Watch(run, bar))
        except KeyboardInterrupt:
            self.stderr.write(
                f"Stopped. `python manage.py precompute --resume {run.key[:8]}` goes on from here."
            )
            raise SystemExit(INTERRUPTED) from None
        if run.state == Run.State.FAILED:
            raise CommandError(run.problem)
        if run.state == Run.State.CANCELLED:
            raise CommandError(
                f"The run was cancelled. `precompute --resume {run.key[:8]}` goes on with it."
            )


class _Watch:
    """Shows a run on a bar, not more often than people can read."""

    def __init__(self, run: Run, bar: Bar) -> None:
        self._run = run
        self._bar = bar
        self._next = 0.0

    def __call__(self) -> None:
        if monotonic() >= self._next:
            self._bar.show(str(self._run.dictionary), runs.progress(self._run))
            self._next = monotonic() + LOOK_SECONDS
