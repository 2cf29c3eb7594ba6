"""A whole site into a folder and out of one: its database, and the files of its store.

The database is written first: whatever it shows has its files by then, and they never change.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from featureviz.catalog.backups import database
from featureviz.catalog.backups.manifest import (
    MANIFEST,
    STORE,
    BackupError,
    Kept,
    Manifest,
    applied,
    kept,
    read_manifest,
    schema,
    write_manifest,
)


def backup(folder: Path, *, copy: bool = False) -> Manifest:
    """Write a backup into a new or empty folder, also while the site runs.

    Files of the store are linked where that can be, unless `copy`. Raises: BackupError, OSError.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: each backup has a folder of its own.")
    if _store() in [folder.resolve(), *folder.resolve().parents]:
        raise BackupError(f"{folder} is part of the store.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # it holds what people wrote, and the digests of passwords
    made_at = timezone.now().isoformat()
    migrations = applied()
    dumped = database.dump(folder)
    found = {dumped.name: kept(dumped)}
    for path in _files(_store()):
        taken = folder / STORE / path.relative_to(_store())
        try:
            _take(path, taken, copy=copy)
        except FileNotFoundError:  # shards may be deleted at any time
            continue
        found[str(taken.relative_to(folder))] = kept(taken)
    manifest = Manifest(made_at=made_at, database=connection.vendor, schema=migrations, files=found)
    write_manifest(folder, manifest)
    return manifest


def restore(folder: Path, *, copy: bool = False) -> Manifest:
    """Make this empty site what a backup was. Raises: BackupError, OSError; nothing is changed."""
    manifest = read_manifest(folder)
    _check_schema(manifest)
    _check_empty()
    _check_files(folder, manifest)
    part = _store().with_name(f".{_store().name}.restoring")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name in manifest.files:
            path = Path(name)
            if path.parts[0] == STORE:
                _take(folder / path, part / path.relative_to(STORE), copy=copy)
        database.load(folder)
        if _store().exists():
            shutil.rmtree(_store())  # of empty folders
        part.rename(_store())
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _check_schema(manifest: Manifest) -> None:
    if manifest.database != connection.vendor:
        raise BackupError(
            f"The backup is of a {manifest.database} database, "
            f"and this site has {connection.vendor}. "
            "What people wrote moves between the two with `manage.py archive`."
        )
    there, here = set(manifest.schema), set(schema())
    if more := sorted(there - here):
        raise BackupError(
            f"The backup comes from a later version of featureviz ({', '.join(more)}). "
            "Restore it with that version."
        )
    if fewer := sorted(here - there):
        raise BackupError(
            f"The backup comes from an earlier version of featureviz (without {', '.join(fewer)}). "
            "Restore it with that version, then update and run `manage.py migrate`."
        )


def _check_empty() -> None:
    if not database.is_empty():
        raise BackupError("This site's database is not empty. Restore into a new one.")
    if any(_files(_store())):
        raise BackupError(f"{_store()} is not empty. Restore with a new FEATUREVIZ_DATA.")


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Hold every file against its digest, before anything is touched."""
    for name, expected in manifest.files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BackupError(f"{MANIFEST} names {name}, which is outside of the backup.")
        if _kept(folder / name) != expected:
            raise BackupError(f"{folder / name} is damaged or missing: its digest differs.")


def _kept(path: Path) -> Kept | None:
    return kept(path) if path.is_file() else None


def _files(folder: Path) -> Iterator[Path]:
    """Files that are whole: what is being written begins with a dot."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def _take(path: Path, to: Path, *, copy: bool) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if not copy:
        try:
            os.link(path, to)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            pass
        else:
            return
    shutil.copy2(path, to)


def _store() -> Path:
    return Path(settings.FEATUREVIZ_STORE).resolve()
