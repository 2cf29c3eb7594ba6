"""`manage.py reindex`: the rows of latents and what they are found by, from the dashboards."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from featureviz.browse.search.written import reindex_written
from featureviz.catalog.addresses import current_run, readable_runs
from featureviz.catalog.runs import reindex
from featureviz.dashboards.store import StoreError


class Command(BaseCommand):
    """Brings runs that an earlier version published to what tables and search need now."""

    help = "Write rows and what latents are found by anew: of one dictionary, else of all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One dictionary, or none for all."""
        parser.add_argument("dictionary", nargs="?", help="<model>/<dictionary>")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done; what cannot be read ends with exit code 2."""
        named = options["dictionary"]
        if named is None:
            for kind, count in reindex_written().items():
                self.stdout.write(f"{count} {kind}s")
            runs = readable_runs()
        else:
            run = current_run(*([*named.strip("/").split("/"), ""])[:2])
            if run is None:
                raise CommandError(
                    f"There is no dictionary at {named}; `show --list` prints those that exist.",
                    returncode=2,
                )
            runs = [run]
        for run in runs:
            try:
                reindex(run)
            except StoreError as error:
                raise CommandError(
                    f"{run.dictionary}: {error} `python manage.py precompute --resume "
                    f"{run.key[:8]}` mends that.",
                    returncode=2,
                ) from error
            self.stdout.write(f"{run.dictionary}: {run.dictionary.d_sae} latents")
