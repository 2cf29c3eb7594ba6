"""Compiled loops over independent parts, on as many threads as torch uses; they hold no GIL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from os import getpid
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

R = TypeVar("R")


def in_parts(
    n: int, work: Callable[[slice], R], starts: npt.NDArray[np.int64] | None = None
) -> list[R]:
    """Cut n items into one stretch a thread, and do `work` on each; results in order.

    With `starts` [n + 1], where each item's share begins in all that is to be done, the stretches
    have about as much to do as each other; without, as many items.
    """
    threads = max(1, min(torch.get_num_threads(), n))
    if threads == 1:
        return [work(slice(0, n))]
    bounds = [n * part // threads for part in range(threads + 1)]
    if starts is not None:
        shares = starts[0] + (starts[-1] - starts[0]) * np.arange(threads + 1) // threads
        bounds = [0, *np.searchsorted(starts, shares[1:-1]).tolist(), n]
    stretches = [slice(bounds[part], bounds[part + 1]) for part in range(threads)]
    others = [_pool(threads - 1, getpid()).submit(work, stretch) for stretch in stretches[1:]]
    return [work(stretches[0]), *(other.result() for other in others)]


@lru_cache(maxsize=1)
def _pool(threads: int, _process: int) -> ThreadPoolExecutor:
    """Threads kept for the next call; a forked process has none of its parent's."""
    return ThreadPoolExecutor(threads)
