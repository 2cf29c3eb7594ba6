"""Which tokens a latent fires on, by count and by summed activation.

They are counted for one latent at a time, over all of the corpus, in a table of the whole
vocabulary; of each latent the most frequent are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled

KEPT = 20
COUNT, TOTAL = range(2)  # side by side: one look into memory an activation, not two


class TopTokens(NamedTuple):
    """The most frequent tokens of a block of latents, ties by id; an unused place has count 0."""

    tokens: npt.NDArray[np.int64]  # [n_latents, KEPT]
    counts: npt.NDArray[np.int64]  # [n_latents, KEPT] active positions with this token
    totals: npt.NDArray[np.float64]  # [n_latents, KEPT] summed activation there, in corpus order


def empty_top_tokens(n_latents: int) -> TopTokens:
    """Before anything was seen."""
    shape = (n_latents, KEPT)
    return TopTokens(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape))


class Tally(NamedTuple):
    """Counts of one latent. Counts are whole numbers in float64, exact up to 2^53."""

    counts: npt.NDArray[np.float64]  # [d_vocab, 2]
    seen: npt.NDArray[np.int64]  # [d_vocab]; the tokens seen, in the order they came
    n_seen: npt.NDArray[np.int64]  # [1]


def empty_tally(d_vocab: int) -> Tally:
    """Before anything was seen."""
    return Tally(np.zeros((d_vocab, 2)), np.zeros(d_vocab, np.int64), np.zeros(1, np.int64))


@compiled
def keep_most_frequent(
    counts: npt.NDArray[np.float64],
    seen: npt.NDArray[np.int64],
    kept_tokens: npt.NDArray[np.int64],
    kept_counts: npt.NDArray[np.int64],
    kept_totals: npt.NDArray[np.float64],
) -> None:
    """Write the most frequent of the tokens seen into the row of a latent [k]."""
    k = len(kept_tokens)
    kept_counts[:] = 0
    for token in seen:
        count = np.int64(counts[token, COUNT])
        at = k
        while at > 0 and (
            count > kept_counts[at - 1]
            or (count == kept_counts[at - 1] and token < kept_tokens[at - 1])
        ):
            at -= 1
        if at == k:
            continue
        for place in range(k - 1, at, -1):
            kept_tokens[place] = kept_tokens[place - 1]
            kept_counts[place] = kept_counts[place - 1]
        kept_tokens[at], kept_counts[at] = token, count
    for place in range(k):
        kept_totals[place] = counts[kept_tokens[place], TOTAL] if kept_counts[place] else 0.0
        if not kept_counts[place]:
            kept_tokens[place] = 0


@compiled
def forget(counts: npt.NDArray[np.float64], seen: npt.NDArray[np.int64]) -> None:
    """Clear the counts of the tokens seen, for the next latent."""
    for token in seen:
        counts[token, COUNT] = 0
        counts[token, TOTAL] = 0
