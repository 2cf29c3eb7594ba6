"""The activations of a shard on disk, sorted by latent, then corpus order.

About 8 bytes an activation. Knowing them all before anything is chosen makes every interval and
sample exact, and one latent's row can be read without the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from featureviz.dashboards.slices import LatentSlices, read_slices
from featureviz.dashboards.store import write_atomically
from featureviz.engine.activations import Actives
from featureviz.engine.compiled import compiled

# As safetensors names them.
_DTYPES = {"int64": "I64", "float64": "F64", "uint32": "U32", "float32": "F32"}


class Stretch(NamedTuple):
    """The activations of consecutive latents in consecutive shards."""

    starts: npt.NDArray[np.int64]  # [n_latents + 1]; latent i has entries starts[i]:starts[i + 1]
    places: npt.NDArray[np.int64]  # context * n_ctx + position, of the corpus; ascending
    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spool:
    """All shards of a run, read a few activations at a time."""

    paths: Sequence[Path]
    shard_positions: int  # positions in every shard but the last

    def maxima(self, latents: range) -> npt.NDArray[np.float32]:
        """The largest activation of each of these latents in the corpus; 0 for a silent one."""
        found = [read_maxima(path, latents.start, latents.stop) for path in self.paths]
        return np.asarray(np.max(found, axis=0))

    def cuts(self, latents: range, most: int) -> Iterator[range]:
        """The latents in runs of at most so many activations in all; one that has more, alone."""
        totals = np.zeros(len(latents), np.int64)
        for path in self.paths:
            totals += np.diff(read_starts(path, latents.start, latents.stop))
        first, held = 0, 0
        for row, total in enumerate(totals.tolist()):
            if row > first and held + total > most:
                yield latents[first:row]
                first, held = row, 0
            held += total
        yield latents[first:]

    def stretches(self, latents: range, most: int) -> Iterator[Stretch]:
        """These latents in corpus order, so many shards at once that at most `most` are held."""
        group: list[tuple[int, LatentSlices]] = []
        for number, path in enumerate(self.paths):
            slices = read_slices(path, latents.start, latents.stop)
            held = sum(len(each.places) for _, each in group)
            if group and held + len(slices.places) > most:
                yield _one_after_another(group)
                group = []
            group.append((number * self.shard_positions, slices))
        yield _one_after_another(group)


def by_latent(actives: Actives, d_sae: int) -> LatentSlices:
    """Sort activations by latent, corpus order kept within each (a counting sort)."""
    counts = np.bincount(actives.latents, minlength=d_sae)
    starts = np.zeros(d_sae + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    places = np.empty(len(actives.places), np.uint32)
    values = np.empty(len(actives.values), np.float32)
    _scatter(actives, starts[:-1].copy(), places, values)
    return LatentSlices(starts, places, values)


def maxima(slices: LatentSlices) -> npt.NDArray[np.float32]:
    """The largest activation of every latent [n_latents]; 0 for a silent one."""
    found = np.zeros(len(slices.starts) - 1, np.float32)
    alive = np.diff(slices.starts) > 0
    if alive.any():
        found[alive] = np.maximum.reduceat(slices.values, slices.starts[:-1][alive])
    return found


def write_shard(
    path: Path, slices: LatentSlices, more: Mapping[str, npt.NDArray[Any]] | None = None
) -> None:
    """Write a shard's activations, and other arrays of it; the file appears whole or not at all."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "starts": slices.starts,
        "maxima": maxima(slices),
        "places": slices.places,
        "values": slices.values,
        **(more or {}),
    }
    # The widest first, so that each begins where its numbers are aligned.
    arrays = dict(sorted(arrays.items(), key=lambda entry: -entry[1].itemsize))
    write_atomically(path, _head(arrays), *(array.view(np.uint8).data for array in arrays.values()))


def _head(arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """What a safetensors file begins with; the library's own writer copies every array thrice."""
    entries, end = {}, 0
    for name, array in arrays.items():
        first, end = end, end + array.nbytes
        entries[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": (first, end),
        }
    text = msgspec.json.encode(entries)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_maxima(path: Path, first: int, end: int) -> npt.NDArray[np.float32]:
    """The largest activation in a shard of latents [first, end)."""
    with safe_open(path, framework="numpy") as shard:
        return np.asarray(shard.get_slice("maxima")[first:end])


def read_starts(path: Path, first: int, end: int) -> npt.NDArray[np.int64]:
    """Where the activations of latents [first, end) begin in a shard, and where the last's end."""
    with safe_open(path, framework="numpy") as shard:
        return np.asarray(shard.get_slice("starts")[first : end + 1])


def _one_after_another(group: list[tuple[int, LatentSlices]]) -> Stretch:
    """Slices of the same latents, each with its first place in the corpus, as one."""
    starts = np.sum([slices.starts for _, slices in group], axis=0)
    cursor = starts[:-1].copy()
    places, values = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.float32)
    for origin, slices in group:
        _append(slices.starts, slices.places, slices.values, origin, cursor, places, values)
    return Stretch(starts, places, values)


@compiled
def _append(  # noqa: PLR0913, PLR0917 - compiled loops take array by array
    starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.uint32],
    values: npt.NDArray[np.float32],
    origin: int,
    cursor: npt.NDArray[np.int64],
    all_places: npt.NDArray[np.int64],
    all_values: npt.NDArray[np.float32],
) -> None:
    for latent in range(len(cursor)):
        at = cursor[latent]
        for entry in range(starts[latent], starts[latent + 1]):
            all_places[at] = origin + np.int64(places[entry])
            all_values[at] = values[entry]
            at += 1
        cursor[latent] = at


@compiled
def _scatter(
    actives: Actives,
    cursor: npt.NDArray[np.int64],
    places: npt.NDArray[np.uint32],
    values: npt.NDArray[np.float32],
) -> None:
    for entry in range(len(actives.latents)):
        latent = actives.latents[entry]
        at = cursor[latent]
        cursor[latent] = at + 1
        places[at] = actives.places[entry]
        values[at] = actives.values[entry]
