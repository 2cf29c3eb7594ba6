"""Immutable packs of records on disk: one file a block of latents, one compressed record each.

A pack is: magic, n (u32), first latent (u32), n + 1 offsets (u64), then the records. It is
written under a temporary name and renamed, so a pack that exists is whole.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import zstandard

from featureviz.dashboards.relations import Relations
from featureviz.dashboards.schema import Dashboard

_MAGIC = b"fvpack01"
_HEAD = struct.Struct("<8sII")
_LEVEL = 3  # of zstd: a sixth of the time that 9 takes, for 2.5% more bytes

_encoder = msgspec.msgpack.Encoder()
_dashboards = msgspec.msgpack.Decoder(Dashboard)
_relations = msgspec.msgpack.Decoder(Relations)
R = TypeVar("R")


class Indexed(Protocol):
    """A record of one latent."""

    @property
    def index(self) -> int:
        """The latent's."""


class StoreError(Exception):
    """A pack is missing, cut short or not ours."""


def write_atomically(path: Path, *contents: bytes | memoryview) -> None:
    """Write `contents`, one after another, to `path` so that no reader ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.writelines(contents)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_pack(path: Path, latents: Sequence[Indexed]) -> None:
    """Write records of consecutive latents; the same records give the same bytes."""
    records = _compressed([_encoder.encode(latent) for latent in latents])
    start = _HEAD.size + 8 * (len(records) + 1)
    offsets = [start]
    for record in records:
        offsets.append(offsets[-1] + len(record))
    head = _HEAD.pack(_MAGIC, len(records), latents[0].index if latents else 0)
    table = struct.pack(f"<{len(offsets)}Q", *offsets)
    write_atomically(path, head, table, *records)


def _compressed(records: Sequence[bytes]) -> list[bytes]:
    """Each in a frame of its own, on every core; their number changes no byte."""
    if not records:
        return []
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    plain: list[bytes | bytearray | memoryview[int]] = [*records]
    frames = compressor.multi_compress_to_buffer(plain, threads=-1)
    return [frames[at].tobytes() for at in range(len(frames))]


def read_dashboard(path: Path, index: int) -> Dashboard:
    """One latent's dashboard, by two short reads.

    Raises: StoreError when the pack is missing, damaged, or does not hold the latent.
    """
    return _read(path, index, _dashboards)


def read_relations(path: Path, index: int) -> Relations:
    """One latent's relations to a run, by two short reads. Raises: StoreError, as above."""
    return _read(path, index, _relations)


def _read(path: Path, index: int, decoder: msgspec.msgpack.Decoder[R]) -> R:
    try:
        with path.open("rb") as file:
            magic, count, first = _HEAD.unpack(file.read(_HEAD.size))
            if magic != _MAGIC or not first <= index < first + count:
                raise StoreError(f"{path.name} does not hold latent {index}.")
            file.seek(_HEAD.size + 8 * (index - first))
            start, end = struct.unpack("<2Q", file.read(16))
            file.seek(start)
            record = file.read(end - start)
        return decoder.decode(zstandard.ZstdDecompressor().decompress(record))
    except (OSError, struct.error, zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise StoreError(f"{path.name}: {error}") from error
