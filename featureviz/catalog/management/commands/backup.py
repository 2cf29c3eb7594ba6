"""`manage.py backup`: the whole site into a folder."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from featureviz.catalog.backups import site
from featureviz.catalog.backups.manifest import BackupError


class Command(BaseCommand):
    """Writes a backup."""

    help = "Write the database and the store into a new folder, also while the site runs."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The folder."""
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--copy", action="store_true", help="copy files that could be linked to the store's"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was written; what cannot be ends with exit code 2."""
        try:
            manifest = site.backup(options["folder"], copy=options["copy"])
        except (BackupError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        size = sum(each.size for each in manifest.files.values())
        self.stdout.write(f"{len(manifest.files)} files, {size / 1e6:.1f} MB: {options['folder']}")
