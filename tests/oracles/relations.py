"""How two latents go together, from their activations at every counted place and their weights.

NumPy's own Pearson over whole series, sets of places, plain sorting. It shares no code with the
engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """A dictionary: what its latents did at every place, where they point, what they write."""

    activations: Array  # [n_places, d_sae]
    W_dec: Array  # [d_sae, d_in]
    logits: Array  # [d_sae, d_vocab]


@dataclass(frozen=True)
class Expected:
    """The figures of every pair; NaN where one is not defined."""

    n_both: npt.NDArray[np.int64]
    correlation: Array
    jaccard: Array
    cosine: Array
    logit_correlation: Array


def expected(mine: Side, theirs: Side) -> Expected:
    """Every figure of every pair, one pair at a time."""
    shape = (mine.activations.shape[1], theirs.activations.shape[1])
    found = Expected(np.zeros(shape, np.int64), *(np.zeros(shape) for _ in range(4)))
    for i, j in np.ndindex(shape):
        x, y = mine.activations[:, i], theirs.activations[:, j]
        fires, also = set(np.flatnonzero(x).tolist()), set(np.flatnonzero(y).tolist())
        found.n_both[i, j] = len(fires & also)
        found.jaccard[i, j] = len(fires & also) / max(1, len(fires | also))
        found.correlation[i, j] = _pearson(x, y)
        found.cosine[i, j] = _cosine(mine.W_dec[i], theirs.W_dec[j])
        found.logit_correlation[i, j] = _pearson(mine.logits[i], theirs.logits[j])
    return found


def strongest(figures: Array, kept: int) -> list[int]:
    """The places of the largest figures above 0, ties by index."""
    ranked = sorted((-figure, place) for place, figure in enumerate(figures.tolist()) if figure > 0)
    return [place for _, place in ranked[:kept]]


def _pearson(x: Array, y: Array) -> float:
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    return float("nan") if constant else float(np.corrcoef(x, y)[0, 1])


def _cosine(x: Array, y: Array) -> float:
    if x.shape != y.shape or not x.any() or not y.any():
        return float("nan")
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))
