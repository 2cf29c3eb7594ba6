"""A part of a shard's spooled activations, read without the rest and without torch.

The file itself is written by engine/spool.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import safe_open


class LatentSlices(NamedTuple):
    """The activations of consecutive latents in one shard."""

    starts: npt.NDArray[np.int64]  # [n_latents + 1]; latent i has entries starts[i]:starts[i + 1]
    places: npt.NDArray[np.uint32]  # ascending within a latent
    values: npt.NDArray[np.float32]


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
