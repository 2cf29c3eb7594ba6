"""Which tokens a latent fires on, by count and by summed activation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled


class TokenCounts(NamedTuple):
    """Of a block of latents, over the whole vocabulary."""

    counts: npt.NDArray[np.int64]  # [n_latents, d_vocab] active positions with this token
    totals: npt.NDArray[np.float64]  # [n_latents, d_vocab] their summed activation


def empty_token_counts(n_latents: int, d_vocab: int) -> TokenCounts:
    """Before anything was seen."""
    shape = (n_latents, d_vocab)
    return TokenCounts(np.zeros(shape, np.int64), np.zeros(shape, np.float64))


@compiled
def token_counts_update(token_counts: TokenCounts, latent: int, token: int, value: float) -> None:
    """Count one activation on a token."""
    token_counts.counts[latent, token] += 1
    token_counts.totals[latent, token] += value


def most_frequent(counts: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.int64]:
    """The k most frequent tokens of one latent [<= k], ties by id; tokens never seen left out."""
    seen = np.flatnonzero(counts)
    order = np.lexsort((seen, -counts[seen]))
    return seen[order[:k]]
