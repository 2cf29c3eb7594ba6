"""Which tokens a latent fires on, by count and by summed activation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COUNT, TOTAL = range(2)  # side by side: one look into memory an activation, not two


def empty_token_counts(n_latents: int, d_vocab: int) -> npt.NDArray[np.float64]:
    """Before anything was seen: active positions and summed activation [n_latents, d_vocab, 2].

    Counts are whole numbers in float64, exact up to 2^53.
    """
    return np.zeros((n_latents, d_vocab, 2))


def most_frequent(token_counts: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.int64]:
    """The k most frequent tokens of one latent [<= k], ties by id; tokens never seen left out."""
    counts = token_counts[:, COUNT]
    seen = np.flatnonzero(counts)
    order = np.lexsort((seen, -counts[seen]))
    return seen[order[:k]]
