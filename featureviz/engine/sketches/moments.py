"""Counts and sums of a latent's activations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Moments(NamedTuple):
    """Of a block of latents; sums are taken in corpus order, so no cut of it changes them."""

    n_active: npt.NDArray[np.int64]  # [n_latents] positions with activation > 0
    n_contexts: npt.NDArray[np.int64]  # [n_latents] contexts with at least one such position
    total: npt.NDArray[np.float64]  # [n_latents]
    total_squares: npt.NDArray[np.float64]  # [n_latents]


def empty_moments(n_latents: int) -> Moments:
    """Before anything was seen."""
    return Moments(
        np.zeros(n_latents, np.int64),
        np.zeros(n_latents, np.int64),
        np.zeros(n_latents, np.float64),
        np.zeros(n_latents, np.float64),
    )
