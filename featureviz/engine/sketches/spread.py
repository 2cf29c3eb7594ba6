"""Both ends and the histogram of many rows of numbers: one look at each row while it is cached."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.histogram import even_histogram
from featureviz.engine.sketches.ranks import place
from featureviz.engine.threads import in_parts

_CELLS = 1024  # a row's numbers are sorted into before its median is looked for

Singles = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


class Spread(NamedTuple):
    """What was found in rows of numbers [n, width], less a shift a row."""

    top: Whole  # [n, k] columns of the largest, largest first, ties by column
    bottom: Whole  # [n, k] columns of the smallest, smallest first, ties by column
    shifts: Floats  # [n]
    edges: Floats  # [n, n_bins + 1] of equal bins between the extremes
    counts: Whole  # [n, n_bins] of the half-open (lo, hi], the lowest edge included


def spread(rows: Singles, k: int, n_bins: int, *, from_median: bool) -> Spread:
    """The k largest and smallest of every row, and its histogram; from its median, or as it is."""
    n = len(rows)
    found = Spread(
        np.empty((n, k), np.int64),
        np.empty((n, k), np.int64),
        np.zeros(n),
        np.empty((n, n_bins + 1)),
        np.empty((n, n_bins), np.int64),
    )

    def part(own: slice) -> None:
        _spread(rows[own], from_median, Spread._make(column[own] for column in found))

    in_parts(n, part)
    return found


@compiled
def _spread(rows: Singles, from_median: bool, found: Spread) -> None:
    top, bottom, shifts, edges, counts = found
    for row in range(len(rows)):
        values = rows[row]
        _largest(values, np.float32(1), top[row])
        _largest(values, np.float32(-1), bottom[row])
        if from_median:
            shifts[row] = _median(values, values[bottom[row, 0]], values[top[row, 0]])
        low = np.float64(values[bottom[row, 0]]) - shifts[row]
        high = np.float64(values[top[row, 0]]) - shifts[row]
        even_histogram(values, shifts[row], low, high, edges[row], counts[row])


@compiled
def _largest(values: Singles, sign: np.float32, columns: Whole) -> None:
    """Columns of the largest of sign * values, in order."""
    k = len(columns)
    kept = np.full(k, -np.inf, np.float32)
    columns[:] = 0
    for column in range(len(values)):
        value = sign * values[column]
        if value > kept[k - 1]:
            place(kept, columns, value, column)


@compiled
def _median(values: Singles, low: np.float32, high: np.float32) -> np.float64:
    """The middle number, or the mean of the middle two; only the cells they are in are sorted."""
    n, start = len(values), np.float64(low)
    if not low < high:
        return start
    scale = _CELLS / (np.float64(high) - start)
    cells = np.zeros(_CELLS, np.int64)
    for value in values:
        cells[min(_CELLS - 1, int((np.float64(value) - start) * scale))] += 1
    first = before = 0  # cells with the lower middle, and numbers in those before it
    while before + cells[first] <= (n - 1) // 2:
        before += cells[first]
        first += 1
    last, held = first, before + cells[first]
    while held <= n // 2:
        last += 1
        held += cells[last]
    middle = np.empty(held - before, np.float64)
    at = 0
    for value in values:
        cell = min(_CELLS - 1, int((np.float64(value) - start) * scale))
        if first <= cell <= last:
            middle[at] = value
            at += 1
    middle.sort()
    return (middle[(n - 1) // 2 - before] + middle[n // 2 - before]) / 2
