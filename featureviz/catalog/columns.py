"""The numbers of all latents of a run as arrays: what a table is sorted and filtered by.

Read from the rows once and kept, 96 bytes a latent and 4 for each order asked for, until the rows
are written again: any sort by any keys, any filter and every count are then a few milliseconds for
100,000 latents, on any database alike, and the last page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from django.db.models import Max, Min

from featureviz.catalog.models import Latent, Run

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int32]
_KEPT = 8  # runs
_NUMBERS = (
    "index", "n_active", "density", "max_activation", "mean_activation", "top_share",
    "promoted_weight", "n_negative", "min_activation", "n_active_contexts", "decoder_norm",
    "variation",
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The latents of a run by index, column by column; NaN where a row has no number."""

    run_id: int
    numbers: dict[str, Numbers]  # by the name of the row's field, each [n]
    _orders: dict[Hashable, Places] = field(default_factory=dict)

    @staticmethod
    def of(run: Run) -> Columns:
        """The columns of a run."""
        return _read(run.pk, run.key, run.published_at, run.latents_written_at)

    def __len__(self) -> int:
        return len(self.numbers["index"])

    def __getitem__(self, name: str) -> Numbers:
        return self.numbers[name]

    def order(self, key: Hashable, numbers: Callable[[], Numbers]) -> Places:
        """The places [n] of all latents by the numbers a key stands for, worked out once.

        Smallest first; equal ones by index; those without a number last.
        """
        if key not in self._orders:
            self._orders[key] = np.argsort(numbers(), kind="stable").astype(np.int32)
        return self._orders[key]

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """The latents' indices, ascending."""
        return self["index"].astype(np.int64)

    @cached_property
    def alive(self) -> npt.NDArray[np.bool_]:
        """Which latents fired, at either end."""
        return (self["n_active"] > 0) | (self["n_negative"] > 0)


def extreme(run: Run, *, is_negative: bool = False) -> float:
    """The activation farthest from 0 of all latents of a run, at one end; 0 when none fired."""
    asked = run.pk, run.key, run.published_at, run.latents_written_at, is_negative
    return _extreme(*asked)


@lru_cache(maxsize=2 * _KEPT)
def _extreme(
    run_id: int, key: str, published: datetime | None, written: datetime | None, is_negative: bool
) -> float:
    side = Min("min_activation") if is_negative else Max("max_activation")
    return Latent.objects.filter(run=run_id).aggregate(widest=side)["widest"] or 0.0


@lru_cache(maxsize=_KEPT)
def _read(run_id: int, key: str, published: datetime | None, written: datetime | None) -> Columns:
    """Everything but the id only says when what was read no longer holds."""
    rows = Latent.objects.filter(run=run_id).order_by("index")
    table = np.array(list(rows.values_list(*_NUMBERS)), dtype=np.float64)
    table = table.reshape(-1, len(_NUMBERS))
    return Columns(run_id, {name: table[:, at].copy() for at, name in enumerate(_NUMBERS)})
