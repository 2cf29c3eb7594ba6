"""Loops too hot for Python: compiled on first use and cached, no compiler needed on the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from llvmlite import ir
from numba.extending import intrinsic

P = ParamSpec("P")
R = TypeVar("R")
_ADDRESS, _INT = ir.IntType(8).as_pointer(), ir.IntType(32)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of numbers, arrays and named tuples of them; it releases the GIL."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


@intrinsic
def prefetch(_context: Any, array: Any, at: Any) -> Any:
    """Have a processor bring the line of memory of `array[at]` near while it goes on.

    Only in compiled loops over places known ahead. Numba has no word for it: this is LLVM's own.
    """

    def code(context: Any, builder: Any, signature: Any, given: Any) -> None:
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        address = builder.bitcast(builder.gep(data, [given[1]]), _ADDRESS)
        kinds = ir.FunctionType(ir.VoidType(), [_ADDRESS, _INT, _INT, _INT])
        told = builder.module.declare_intrinsic("llvm.prefetch", [_ADDRESS], kinds)
        builder.call(told, [address, _INT(0), _INT(3), _INT(1)])  # to read, to keep, data

    return numba.types.void(array, numba.types.int64), code
