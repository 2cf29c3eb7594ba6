"""Which latents a view leaves, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from featureviz.browse.ranges import holds
from featureviz.browse.table.explained import explained
from featureviz.browse.table.statistics import STATISTICS
from featureviz.browse.table.tokens import having
from featureviz.browse.table.view import EXPLAINED, SHOWN, Filter, Sort, View
from featureviz.catalog.columns import Columns
from featureviz.catalog.models import Run

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Selection:
    """A run's latents as a view asks for them."""

    run: Run
    columns: Columns
    view: View

    @classmethod
    def of(cls, run: Run, view: View) -> Selection:
        """The latents a view leaves of a run."""
        return cls(run, Columns.of(run), view)

    @cached_property
    def indices(self) -> npt.NDArray[np.int64]:
        """The latents left, in order; latents alike in every key go by index.

        One without a number comes after those with one, whichever way they are sorted.
        """
        left = self._filtered & self.shown(self.view.show)
        return self.columns.index[self._sorted(left)]

    def _sorted(self, left: Mask) -> npt.NDArray[np.integer[Any]]:
        places: npt.NDArray[np.integer[Any]] = np.flatnonzero(left)
        least_first = list(self.view.sort[::-1])
        if least_first and least_first[0].name != EXPLAINED:  # which people change
            first = least_first.pop(0)
            order = self.columns.order(first, lambda: self._key(first))
            places = order[left[order]]
        for sort in least_first:
            places = places[np.argsort(self._key(sort)[places], kind="stable")]
        return places

    def __len__(self) -> int:
        return len(self.indices)

    def count(self, show: str) -> int:
        """How many there would be with another answer to `show`."""
        return int(np.count_nonzero(self._filtered & self.shown(show)))

    def count_without(self, left_out: Filter) -> int:
        """How many there would be if one filter were dropped."""
        others = self._all_of(each for each in self.view.used if each != left_out)
        return int(np.count_nonzero(others & self.shown(self.view.show)))

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many each answer to `show` leaves."""
        return {show: self.count(show) for show in SHOWN}

    def shown(self, show: str) -> Mask:
        """The latents of one answer to `show`."""
        alive = self.columns.alive
        return {"alive": alive, "dead": ~alive}.get(show, np.ones(len(alive), np.bool_))

    @cached_property
    def _filtered(self) -> Mask:
        return self._all_of(self.view.used)

    def _all_of(self, filters: Iterable[Filter]) -> Mask:
        mask = np.ones(len(self.columns), np.bool_)
        for each in filters:
            mask &= self._holds(each)
        return mask

    def _holds(self, each: Filter) -> Mask:
        if (asked := each.range) is not None:
            return holds(asked, self._numbers(each.name))
        if each.name == "has":
            return self._explained
        return having(self.run, each.name, each.text)[self.columns.index]

    def _key(self, sort: Sort) -> npt.NDArray[Any]:
        numbers = self._numbers(sort.name)
        return -numbers if sort.descending else numbers

    def _numbers(self, name: str) -> npt.NDArray[Any]:
        if name == EXPLAINED:
            return self._explained.astype(np.int8)  # sorted ten times as fast as floats
        return STATISTICS[name].numbers(self.columns, self.run)

    @cached_property
    def _explained(self) -> Mask:
        return explained(self.run.dictionary)[self.columns.index]
