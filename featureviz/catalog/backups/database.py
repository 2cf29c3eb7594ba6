"""The database into a file and out of one, with the database's own tools."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from featureviz.catalog.backups.manifest import DATABASES, BackupError
from featureviz.catalog.models import Corpus, LanguageModel


def dump(folder: Path) -> Path:
    """Write the database as it is at one moment. Raises: BackupError."""
    path = folder / DATABASES[connection.vendor]
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(path)) as into:
            connection.connection.backup(into)
    else:
        _run("pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={path}")
    return path


def load(folder: Path) -> None:
    """Make the database what it was. Raises: BackupError."""
    path = folder / DATABASES[connection.vendor]
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
            source.backup(connection.connection)
    else:
        connection.close()
        whole = ["--clean", "--if-exists", "--single-transaction", "--exit-on-error"]
        _run("pg_restore", *whole, "--no-owner", "--no-acl", _name(), str(path))


def is_empty() -> bool:
    """Whether nobody and nothing is in the database, if it has tables at all."""
    tables = set(connection.introspection.table_names())
    return not any(
        model._meta.db_table in tables and model._default_manager.exists()
        for model in (User, LanguageModel, Corpus)
    )


def _name() -> str:
    return f"--dbname={connection.settings_dict['NAME']}"


def _run(program: str, *options: str) -> None:
    """Run a tool of PostgreSQL against this site's database; the password is not on its line."""
    if shutil.which(program) is None:
        raise BackupError(f"{program} is not installed; it comes with PostgreSQL's client.")
    given = connection.settings_dict
    reached = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    reached |= {"PGDATABASE": "NAME"}
    environment = {**os.environ, **_set({name: given[key] for name, key in reached.items()})}
    done = subprocess.run(
        [program, "--no-password", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{program}: {done.stderr.strip()}")


def _set(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value}
