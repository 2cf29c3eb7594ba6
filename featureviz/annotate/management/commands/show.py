"""`manage.py show`: what is here, and one latent's whole record as JSON."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from featureviz.annotate.record import whole_record
from featureviz.catalog.addresses import find_latent, readable_runs
from featureviz.catalog.models import Latent
from featureviz.dashboards.store import StoreError


class Command(BaseCommand):
    """Prints one record, or the addresses that exist."""

    help = "Print the record of a latent as JSON; the same as /<address>.json."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One address, or --list."""
        parser.add_argument("address", nargs="?", help="<model>/<dictionary>/<index>")
        parser.add_argument(
            "--list", action="store_true", help="print the addresses <model>/<dictionary> instead"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write to standard output; what cannot be shown ends with exit code 2."""
        if options["list"]:
            self.stdout.writelines(f"{run.dictionary}\n" for run in readable_runs())
            return
        try:
            record = whole_record(_latent(options["address"]))
        except StoreError as error:
            raise CommandError(f"The run's files are damaged: {error}", returncode=2) from error
        self.stdout.write(json.dumps(record, ensure_ascii=False))


def _latent(address: str | None) -> Latent:
    model, dictionary, index = ([*(address or "").strip("/").split("/"), "", ""])[:3]
    whole = (address or "").strip("/").count("/") == 2 and index.isascii() and index.isdigit()
    latent = find_latent(model, dictionary, int(index)) if whole and len(index) < 10 else None
    if latent is None:
        raise CommandError(
            f"There is no latent at {address or 'an empty address'}; an address is "
            "<model>/<dictionary>/<index>, and `show --list` prints those that exist.",
            returncode=2,
        )
    return latent
