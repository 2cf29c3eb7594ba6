"""What of the table an address asks for; the address is all there is to a view.

`?sort=-max,density&density=0.1%..1%&max=>3&fires=the&promotes=a&show=alive&cols=max,about&page=2`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from django.http import QueryDict

from featureviz.browse.search.language import Range
from featureviz.browse.table.ranges import RangeError, read_range, tidy
from featureviz.browse.table.statistics import STATISTICS
from featureviz.dashboards.finding import TOKENS

MOST_SORTS = 3
SHOWN = ("all", "alive", "dead")
HAS = ("explanation",)
TEXTS = ("about", "histogram", "fires", "promotes")  # columns that are not a number
EXPLAINED = "explained"  # sorts those with an explanation after those without
_SAFE = ",.:<>="  # as they are in a query, so that an address can be read


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of an order."""

    name: str
    descending: bool = False

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.name}"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition: on a statistic, a token, or what there is."""

    name: str
    text: str

    @property
    def range(self) -> Range | None:
        """Of a statistic; None of others. Raises: RangeError when it cannot be read."""
        return read_range(self.text) if self.name in STATISTICS else None

    @property
    def problem(self) -> str:
        """Why it cannot be used; empty when it can."""
        try:
            _ = self.range
        except RangeError as error:
            return str(error)
        return ""


@dataclass(frozen=True, slots=True)
class View:
    """Sort, filters, columns and page of a table."""

    sort: tuple[Sort, ...] = ()
    filters: tuple[Filter, ...] = ()
    show: str = "all"
    cols: tuple[str, ...] = ()  # none: those the page chooses
    page: str = "1"

    @classmethod
    def of(cls, query: QueryDict) -> View:
        """Read an address; what is not understood is left out, but for a range: it is told."""
        show = query.get("show", "all")
        cols = _listed(query, "cols")
        return cls(
            sort=_sorts(_listed(query, "sort")),
            filters=tuple(_filters(query)),
            show=show if show in SHOWN else "all",
            cols=tuple(name for name in cols if name in STATISTICS or name in TEXTS),
            page=query.get("page", "1"),
        )

    @property
    def used(self) -> tuple[Filter, ...]:
        """The filters that can be used."""
        return tuple(each for each in self.filters if not each.problem)

    @property
    def order(self) -> tuple[Sort, ...]:
        """The keys to sort by."""
        return self.sort or (Sort("index"),)

    @property
    def is_narrowed(self) -> bool:
        """Whether some latents may be left out."""
        return bool(self.used) or self.show != "all"

    def text(self, name: str) -> str:
        """What is asked of a statistic or a token; empty when nothing is."""
        return next((each.text for each in self.filters if each.name == name), "")

    def without(self, left_out: Filter) -> View:
        """This view with one filter dropped."""
        return replace(self, filters=tuple(f for f in self.filters if f != left_out), page="1")

    def query(self, **changes: object) -> str:
        """This view, changed, as the end of an address; changes begin again at page 1."""
        view = replace(self, **{"page": "1", **changes})  # type: ignore[arg-type]
        return f"?{'&'.join(f'{name}={quote(text, _SAFE)}' for name, text in view.pairs())}"

    def pairs(self) -> list[tuple[str, str]]:
        """The address's names and values; defaults are left out."""
        given = [
            ("sort", ",".join(map(str, self.sort))),
            *((each.name, each.text) for each in self.filters),
            ("show", "" if self.show == "all" else self.show),
            ("cols", ",".join(self.cols)),
            ("page", "" if self.page == "1" else self.page),
        ]
        return [(name, text) for name, text in given if text]


def is_untidy(query: QueryDict) -> bool:
    """Whether an address comes from a form: with empty fields, or one value a box."""
    names = (*STATISTICS, *TOKENS)
    return any(query.get(name) == "" for name in names) or any(
        len(query.getlist(name)) > 1 for name in ("cols", "sort")
    )


def _listed(query: QueryDict, name: str) -> list[str]:
    """The values of `a=1,2` and of `a=1&a=2`, each once."""
    values = (value.strip() for text in query.getlist(name) for value in text.split(","))
    return list(dict.fromkeys(filter(None, values)))


def _sorts(names: list[str]) -> tuple[Sort, ...]:
    found: dict[str, Sort] = {}
    for name in names:
        plain = name.removeprefix("-")
        if plain in STATISTICS or plain == EXPLAINED:
            found.setdefault(plain, Sort(plain, name.startswith("-")))
    kept = tuple(found.values())[:MOST_SORTS]
    return () if kept == (Sort("index"),) else kept


def _filters(query: QueryDict) -> list[Filter]:
    found = [Filter(name, tidy(query.get(name, ""))) for name in STATISTICS]
    found += [Filter(name, query.get(name, "")) for name in TOKENS]
    found += [Filter("has", name) for name in _listed(query, "has") if name in HAS]
    return [each for each in found if each.text]
