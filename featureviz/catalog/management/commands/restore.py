"""`manage.py restore`: a whole site out of a backup."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from featureviz.catalog.backups import site
from featureviz.catalog.backups.manifest import BackupError


class Command(BaseCommand):
    """Restores a backup."""

    help = "Make this empty site what a backup was; every file is held against its digest first."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The folder."""
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--copy", action="store_true", help="copy files that could be linked to the backup's"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was restored; what cannot be ends with exit code 2."""
        try:
            manifest = site.restore(options["folder"], copy=options["copy"])
        except (BackupError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        size = sum(each.size for each in manifest.files.values())
        self.stdout.write(
            f"{len(manifest.files)} files, {size / 1e6:.1f} MB restored as of {manifest.made_at}."
        )
