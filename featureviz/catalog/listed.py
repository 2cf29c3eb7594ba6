"""Whole numbers of very many rows at once.

The database writes them all as one text, which numpy reads: as rows, thousands take the mapper
longer than everything else on a page.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

_Numbers = tuple[npt.NDArray[np.int64], ...]
_LISTS = {"sqlite": "group_concat({})", "postgresql": "string_agg(({})::text, ',')"}


def whole_numbers(columns: Sequence[str], rows: str, given: Sequence[Any] = ()) -> _Numbers:
    """Whole numbers of each row, each [n_rows]; in no order, but in the same one.

    columns: expressions of SQL; rows: what follows FROM; given: its parameters.
    """
    listed = ", ".join(map(_LISTS[connection.vendor].format, columns))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {listed} FROM {rows}", given)  # noqa: S608 - written by callers
        found = cursor.fetchone()
    return tuple(np.fromstring(each or "", np.int64, sep=",") for each in found)


def many_whole_numbers(columns: Sequence[str], rows: str, given: Sequence[Any] = ()) -> _Numbers:
    """The same, not to be changed, and not read again for as long as nobody writes.

    For what takes the database longer than to be asked whether somebody did.
    """
    state = _state()
    if state is None:
        return whole_numbers(columns, rows, given)
    return _kept(state, tuple(columns), rows, tuple(given))


@lru_cache(maxsize=16)
def _kept(state: Hashable, columns: tuple[str, ...], rows: str, given: tuple[Any, ...]) -> _Numbers:
    found = whole_numbers(columns, rows, given)
    for each in found:
        each.setflags(write=False)
    return found


def _state() -> Hashable | None:
    """What stays the same for as long as nobody writes to the database; none where none can tell.

    On PostgreSQL, whose writing is seen and whose not yet: what is read after this is at least as
    new. Inside a transaction, its own writing shows nowhere in that. SQLite counts for each
    connection anew.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text, pg_postmaster_start_time()::text")
        return connection.settings_dict["NAME"], *cursor.fetchone()
