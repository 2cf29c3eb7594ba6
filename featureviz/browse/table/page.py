"""Everything the page of a dictionary's table shows, gathered before it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
import numpy.typing as npt
from django.utils.safestring import SafeString, mark_safe

from featureviz.browse.kept import KEPT
from featureviz.browse.table.cells import Cells, Column, columns_of, every_column
from featureviz.browse.table.explained import lines
from featureviz.browse.table.selection import Selection
from featureviz.browse.table.statistics import Statistic, statistics_of
from featureviz.browse.table.tokens import is_indexed
from featureviz.browse.table.view import EXPLAINED, SHOWN, Filter, Sort, View
from featureviz.catalog.columns import Columns
from featureviz.catalog.models import Latent, Run
from featureviz.dashboards.finding import TOKENS

PAGE_SIZE = 100
_WORDS = {"fires": "fires on"}
_NO_TOKENS = "tokens cannot be looked up in this run before `manage.py reindex {}`."
_SMALLEST_FIRST = ("index", "min")


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's head; a link that sorts where it is a number."""

    column: Column
    query: str  # empty: nothing to sort by
    direction: str  # of aria-sort; empty when the table is sorted by another

    @property
    def label(self) -> str:
        """Its word, with the way it is sorted."""
        arrow = {"descending": " ↓", "ascending": " ↑"}
        return self.column.label + arrow.get(self.direction, "")


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer to which latents to show, and how many it leaves."""

    label: str
    count: int
    query: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter at work, and the way to drop it."""

    label: str
    query: str  # without it
    problem: str  # why it is not at work; empty when it is
    count: int  # latents without it


@dataclass(frozen=True, slots=True)
class Field:
    """A statistic in the form of filters."""

    statistic: Statistic
    text: str


@dataclass(frozen=True)
class TablePage:
    """A run's latents, drawn as an address asks."""

    run: Run
    view: View

    @cached_property
    def selection(self) -> Selection:
        """The latents left, in order."""
        return Selection.of(self.run, self.view)

    @cached_property
    def count(self) -> int:
        """How many are left."""
        return len(self.selection)

    @cached_property
    def number(self) -> int:
        """Of the page, from 1; one that is not there is the nearest that is."""
        asked = self.view.page
        wanted = int(asked) if asked.isdecimal() and len(asked) < 10 else 1
        return min(max(1, wanted), self.n_pages)

    @property
    def n_pages(self) -> int:
        """At least one."""
        return max(1, ceil(self.count / PAGE_SIZE))

    @property
    def first(self) -> int:
        """Place of the first row in the whole table, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        """Place of the last row."""
        return min(self.number * PAGE_SIZE, self.count)

    @cached_property
    def pages(self) -> Mapping[str, str]:
        """Queries of the first, previous, next and last page, those there are."""
        found: dict[str, str] = {}
        if self.number > 1:
            found |= {"first": "1", "earlier": str(self.number - 1)}
        if self.number < self.n_pages:
            found |= {"later": str(self.number + 1), "last": str(self.n_pages)}
        return {name: self.view.query(page=page) for name, page in found.items()}

    @cached_property
    def indices(self) -> npt.NDArray[np.int64]:
        """The latents of the page."""
        return self.selection.indices[self.first - 1 : self.last]

    @cached_property
    def rows(self) -> SafeString:
        """They as HTML; those drawn before are not read again."""
        indices: list[int] = self.indices.tolist()
        said = lines(self.run.dictionary, indices)
        columns = " ".join(f"{column.name}.{column.classes}" for column in self.columns)
        has_text = self.run.corpus.stored.folder.exists()  # else contexts are not shown
        like = (self.run.folder, self.run.latents_written_at, columns, self.scale, has_text)
        keys = {index: (*like, index, said.get(index)) for index in indices}
        rows = {index: KEPT.find(key) for index, key in keys.items()}
        missing = [index for index, row in rows.items() if row is None]
        cells = Cells(self.run, self.columns, self.scale, said)
        for latent in in_order(self.run, missing):
            rows[latent.index] = row = cells.row(latent).encode()
            KEPT.keep(keys[latent.index], row)
        html = b"".join(filter(None, rows.values())).decode()
        return mark_safe(html)  # noqa: S308 - cells escape their texts

    @cached_property
    def scale(self) -> float:
        """The activation farthest from 0 of the whole dictionary."""
        columns = self._columns
        return max(_largest(columns["max_activation"]), _largest(-columns["min_activation"]))

    @property
    def strongest(self) -> float:
        """The dictionary's largest activation."""
        return _largest(self._columns["max_activation"])

    @cached_property
    def n_dead(self) -> int:
        """Latents of the dictionary that never fired."""
        return int(np.count_nonzero(~self._columns.alive))

    @property
    def dead_share(self) -> float:
        """Of all latents."""
        return self.n_dead / self.run.dictionary.d_sae

    @cached_property
    def columns(self) -> list[Column]:
        """The columns shown."""
        return columns_of(self.run, self.view.cols)

    @cached_property
    def headings(self) -> list[Heading]:
        """Their heads; numbers begin with their farthest from 0, a second click turns them."""
        return [self._heading(column) for column in self.columns]

    @cached_property
    def choices(self) -> list[Choice]:
        """Which latents to show, beside the filters."""
        counts = self.selection.counts
        return [
            Choice(name, counts[name], self.view.query(show=name), name == self.view.show)
            for name in SHOWN
        ]

    @cached_property
    def chips(self) -> list[Chip]:
        """The filters, as they stand in the address."""
        return [self._chip(each) for each in self.view.filters]

    @cached_property
    def ways_out(self) -> list[Chip]:
        """Of a table without rows: the filters to drop, those that give most first."""
        ways = [chip for chip in self.chips if chip.count and not chip.problem]
        if self.view.show != "all" and self.selection.counts["all"]:
            every = self.selection.counts["all"]
            ways.append(Chip(self.view.show, self.view.query(show="all"), "", every))
        return sorted(ways, key=lambda chip: -chip.count)

    @property
    def fields(self) -> list[Field]:
        """The form's statistics, with what is asked of them."""
        return [Field(each, self.view.text(each.name)) for each in statistics_of(self.run)]

    @property
    def tokens(self) -> list[tuple[str, str, str]]:
        """The form's tokens: name, words, what is asked."""
        return [(name, _WORDS.get(name, name), self.view.text(name)) for name in TOKENS]

    @property
    def boxes(self) -> list[tuple[Column, bool]]:
        """All columns, and whether they are shown by choice or by default."""
        shown = {column.name for column in self.columns}
        return [(column, column.name in shown) for column in every_column(self.run)]

    @property
    def every_column(self) -> list[Column]:
        """All there are, with their meanings."""
        return every_column(self.run)

    @property
    def usual_columns(self) -> str:
        """The query of this view with the columns the page chooses."""
        return self.view.query(cols=())

    @property
    def sort_text(self) -> str:
        """The sort as it is typed."""
        return ",".join(map(str, self.view.sort))

    @property
    def has_explanation(self) -> bool:
        """Whether only latents with an explanation are asked for."""
        return bool(self.view.text("has"))

    @property
    def kept(self) -> dict[str, list[tuple[str, str]]]:
        """What each form hands on unseen."""
        pairs = [pair for pair in self.view.pairs() if pair[0] != "page"]
        others = ("cols", "show")
        return {
            "filters": [pair for pair in pairs if pair[0] in others],
            "columns": [pair for pair in pairs if pair[0] != "cols"],
        }

    @property
    def exports(self) -> str:
        """The query of the same latents as a file."""
        return self.view.query()

    @property
    def last_index(self) -> int:
        """The largest index of the dictionary."""
        return self.run.dictionary.d_sae - 1

    @property
    def _columns(self) -> Columns:
        return self.selection.columns

    def _heading(self, column: Column) -> Heading:
        name = EXPLAINED if column.name == "about" else column.name
        if column.statistic is None and name != EXPLAINED:
            return Heading(column, "", "")
        now = self.view.order[0]
        is_current = now.name == name
        turned = not now.descending if is_current else name not in _SMALLEST_FIRST
        later = self.view.sort[1:] if is_current else ()
        sort = (Sort(name, turned), *later)
        query = self.view.query(sort=() if sort == (Sort("index"),) else sort)
        return Heading(column, query, _direction(now) if is_current else "")

    def _chip(self, each: Filter) -> Chip:
        label = f"{_WORDS.get(each.name, each.name.replace('-', ' '))} {each.text}"
        count = self.selection.count_without(each)
        return Chip(label, self.view.without(each).query(), self._problem(each), count)

    def _problem(self, each: Filter) -> str:
        if each.name in TOKENS and not is_indexed(self.run):
            return _NO_TOKENS.format(self.run.dictionary)
        return each.problem


def in_order(run: Run, indices: Sequence[int]) -> list[Latent]:
    """The rows of some latents of a run, in the order asked."""
    if not indices:
        return []
    found = {row.index: row for row in Latent.objects.filter(run=run, index__in=indices)}
    return [found[index] for index in indices if index in found]


def _largest(numbers: npt.NDArray[np.float64]) -> float:
    return float(numbers.max(initial=0.0))


def _direction(sort: Sort) -> str:
    return "descending" if sort.descending else "ascending"
