"""Loops too hot for Python: compiled on first use and cached, no compiler needed on the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of numbers, arrays and named tuples of them; it releases the GIL."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))
