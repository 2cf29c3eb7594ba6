"""What a backup holds: its schema, and the digest of each of its files."""

import hashlib
from pathlib import Path

import msgspec
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

FORMAT = "featureviz-backup"
VERSION = 1
MANIFEST = "manifest.json"
STORE = "store"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


class BackupError(Exception):
    """What cannot be backed up or restored; the message says why, and what to do."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a backup."""

    size: int  # bytes
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Written last: a backup without one is not whole."""

    format: str = FORMAT
    version: int = VERSION
    made_at: str  # ISO 8601
    database: str  # sqlite or postgresql
    schema: list[str]  # the migrations that made the database
    files: dict[str, Kept]  # by path from the backup's folder


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup. Raises: BackupError."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise BackupError(f"{folder} is no whole backup: {MANIFEST} is missing.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BackupError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if (found.format, found.version) != (FORMAT, VERSION):
        raise BackupError(
            f"{folder} is {found.format} version {found.version}; "
            f"this version reads {FORMAT} version {VERSION}."
        )
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Say that a backup is whole."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    part = folder / f".{MANIFEST}"
    part.write_bytes(content + b"\n")
    part.replace(folder / MANIFEST)


def schema() -> list[str]:
    """The migrations that this version of featureviz has."""
    known = MigrationLoader(None).disk_migrations
    return sorted(f"{app}.{name}" for app, name in known)


def applied() -> list[str]:
    """The migrations that made this database."""
    made = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in made)


def kept(path: Path) -> Kept:
    """The size and digest of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Kept(path.stat().st_size, digest)
