"""Identities: what has the same digest gives the same dashboards."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 20  # bytes read at a time


def of_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def of_files(paths: Iterable[Path]) -> str:
    """sha256 over the names and contents of files, whatever order they are given in."""
    lines = sorted(f"{path.name} {of_file(path)}" for path in paths)
    return of_bytes("\n".join(lines).encode())


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a folder's files: another stamp, and they are to be read again."""
    files = [(path.name, path.stat()) for path in folder.iterdir()] if folder.is_dir() else []
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in files))


def of_bytes(*parts: bytes) -> str:
    """sha256 of byte strings, their lengths included."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
