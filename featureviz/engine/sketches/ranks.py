"""The few largest of many numbers, as they come."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled


@compiled
def place(
    best: npt.NDArray[np.floating[Any]],
    numbers: npt.NDArray[np.int64],
    figure: float,
    number: int,
) -> None:
    """Put a figure where it belongs among the best, largest first, and its number beside it.

    One that does not exceed the last of them, or is NaN, is left out; equal ones stay as they came.
    """
    at = len(best)
    while at > 0 and figure > best[at - 1]:
        at -= 1
        if at + 1 < len(best):
            best[at + 1], numbers[at + 1] = best[at], numbers[at]
        best[at], numbers[at] = figure, number
