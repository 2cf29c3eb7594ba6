"""Histogram of the activations > 0: equal half-open bins (lo, hi] over (0, max]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled


def edges(maximum: float, n_bins: int) -> npt.NDArray[np.float64]:
    """The n_bins + 1 edges from 0 to `maximum`, each the number nearest to its exact share.

    A product of a float32 and a bin's number is exact and the division rounds once, so a value
    that lies on an edge in exact arithmetic lies on it here.
    """
    return np.arange(n_bins + 1, dtype=np.float64) * float(maximum) / n_bins


@compiled
def bin_of(value: float, bin_edges: npt.NDArray[np.float64]) -> int:
    """The bin k with edges[k] < value <= edges[k + 1]: a guess, then a step to be exact."""
    n_bins = len(bin_edges) - 1
    guess = min(n_bins - 1, int(value * (n_bins / bin_edges[n_bins])))
    while guess > 0 and value <= bin_edges[guess]:
        guess -= 1
    while guess < n_bins - 1 and value > bin_edges[guess + 1]:
        guess += 1
    return guess


@compiled
def even_histogram(
    values: npt.NDArray[np.floating],
    shift: float,
    low: float,
    high: float,
    bin_edges: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> None:
    """Write edges [n_bins + 1] and counts [n_bins] of values less a shift, `low` to `high`.

    Bins are of equal width and half-open, (lo, hi]; the lowest edge belongs to the first. Where
    all values are the same, they are in the first.
    """
    n_bins = len(counts)
    for edge in range(n_bins):
        bin_edges[edge] = low + (high - low) * edge / n_bins
    bin_edges[n_bins] = high
    counts[:] = 0
    if not low < high:
        counts[0] = len(values)
        return
    scale = n_bins / (high - low)
    for single in values:
        value = np.float64(single) - shift
        guess = min(n_bins - 1, int((value - low) * scale))
        while guess > 0 and value <= bin_edges[guess]:
            guess -= 1
        while guess < n_bins - 1 and value > bin_edges[guess + 1]:
            guess += 1
        counts[guess] += 1
