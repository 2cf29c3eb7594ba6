"""Whether the installation can be worked with."""

from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def check_database() -> None:
    """Refuse to work on a database whose tables are missing or old. Raises: CommandError."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError(
            "The database is not ready; `python manage.py migrate` makes it so.", returncode=2
        )
