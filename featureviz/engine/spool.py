"""The activations of a shard on disk, sorted by latent, then corpus order.

About 8 bytes an activation. Knowing them all before anything is chosen makes every interval and
sample exact, and one latent's row can be read without the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save

from featureviz.dashboards.slices import LatentSlices, read_slices
from featureviz.dashboards.store import write_atomically
from featureviz.engine.activations import Actives
from featureviz.engine.compiled import compiled

__all__ = ["LatentSlices", "read_slices"]  # and what stands below


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
