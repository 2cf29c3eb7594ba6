"""Compiled loops over independent parts, on as many threads as torch uses; they hold no GIL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

R = TypeVar("R")


def in_parts(n: int, work: Callable[[slice], R]) -> list[R]:
    """Cut n items into one stretch a thread, and do `work` on each; results in order."""
    threads = max(1, min(torch.get_num_threads(), n))
    bounds = [n * part // threads for part in range(threads + 1)]
    stretches = [slice(bounds[part], bounds[part + 1]) for part in range(threads)]
    if threads == 1:
        return [work(stretches[0])]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, stretches))
