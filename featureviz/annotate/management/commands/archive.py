"""`manage.py archive`: everything people wrote, into a file and out of one."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from featureviz.annotate.archive.reading import ArchiveError, Imported, import_file
from featureviz.annotate.archive.writing import export


class Command(BaseCommand):
    """Exports and imports archives."""

    help = "Export everything people wrote to a JSON Lines archive, or import one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`export FILE` or `import FILE`."""
        parser.add_argument("what", choices=["export", "import"])
        parser.add_argument("file", type=Path)
        parser.add_argument("--with-email", action="store_true", help="export e-mail addresses too")
        parser.add_argument(
            "--skip-unknown",
            action="store_true",
            help="import without what is about dictionaries that are not here",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done; what cannot be ends with exit code 2."""
        try:
            if options["what"] == "export":
                count = export(options["file"], with_email=options["with_email"])
                self.stdout.write(f"{count} lines written to {options['file']}.")
            else:
                self._tell(import_file(options["file"], skip_unknown=options["skip_unknown"]))
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}", returncode=2) from error
        except ArchiveError as error:
            raise CommandError(f"{error} Nothing was imported.", returncode=2) from error

    def _tell(self, found: Imported) -> None:
        self.stdout.write(f"Added: {_counted(found.added)}.")
        self.stdout.write(f"Here already: {_counted(found.kept)}.")
        for name, why in found.unknown.items():
            self.stdout.write(f"{name} {why}.")
        if found.skipped:
            self.stdout.write(f"Left out: {_counted(found.skipped)}.")
        for latent in found.differing:
            self.stdout.write(
                f"{latent}: an explanation was edited here and there; its text here was kept."
            )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing"
