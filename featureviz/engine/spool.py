"""The activations of a shard on disk, sorted by latent, then corpus order.

About 8 bytes an activation. Knowing them all before anything is chosen makes every interval and
sample exact, and one latent's row can be read without the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save

from featureviz.dashboards.store import write_atomically
from featureviz.engine.activations import Actives
from featureviz.engine.compiled import compiled


class LatentSlices(NamedTuple):
    """The activations of consecutive latents in one shard."""

    starts: npt.NDArray[np.int64]  # [n_latents + 1]; latent i has entries starts[i]:starts[i + 1]
    places: npt.NDArray[np.uint32]  # ascending within a latent
    values: npt.NDArray[np.float32]


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
    path: Path, slices: LatentSlices, more: Mapping[str, npt.NDArray[np.generic]] | None = None
) -> None:
    """Write a shard's activations, and other arrays of it; the file appears whole or not at all."""
    arrays = {
        "starts": slices.starts,
        "places": slices.places,
        "values": slices.values,
        "maxima": maxima(slices),
        **(more or {}),
    }
    write_atomically(path, save(arrays))


def read_maxima(path: Path) -> npt.NDArray[np.float32]:
    """The largest activation of every latent in a shard [d_sae]."""
    with safe_open(path, framework="numpy") as shard:
        return np.asarray(shard.get_tensor("maxima"))


def read_slices(path: Path, first: int, end: int) -> LatentSlices:
    """The activations of latents [first, end) in a shard; the rest of the file is not read."""
    with safe_open(path, framework="numpy") as shard:
        starts = np.asarray(shard.get_slice("starts")[first : end + 1])
        low, high = int(starts[0]), int(starts[-1])
        if low == high:  # safetensors refuses an empty slice at the end of a tensor
            return LatentSlices(starts - low, np.empty(0, np.uint32), np.empty(0, np.float32))
        places = np.asarray(shard.get_slice("places")[low:high])
        values = np.asarray(shard.get_slice("values")[low:high])
    return LatentSlices(starts - low, places, values)


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
