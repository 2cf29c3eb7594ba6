"""The table of a dictionary's latents: sorted, filtered and cut into pages by the database."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator

from featureviz.catalog.models import Latent, LatentQuerySet, Run

PAGE_SIZE = 100
SORTS = {
    "index": "index",
    "density": "density",
    "max": "max_activation",
    "mean": "mean_activation",
    "min": "min_activation",
}
SHOWN = ("all", "alive", "dead")


@dataclass(frozen=True, slots=True)
class View:
    """What of the table a reader asked for; it is the address's query."""

    sort: str = "index"
    descending: bool = False
    show: str = "all"
    page: str = "1"

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read an address; what is not understood is the default."""
        asked = query.get("sort", "index")
        column, show = asked.removeprefix("-"), query.get("show", "all")
        known = column in SORTS
        return cls(
            sort=column if known else "index",
            descending=known and asked.startswith("-"),
            show=show if show in SHOWN else "all",
            page=query.get("page", "1"),
        )

    def query(self, **changes: object) -> str:
        """This view, changed, as the end of an address; changes begin again at page 1."""
        changed = replace(self, **{"page": "1", **changes})  # type: ignore[arg-type]
        sort = f"{'-' if changed.descending else ''}{changed.sort}"
        given = {"sort": sort, "show": changed.show, "page": changed.page}
        default = {"sort": "index", "show": "all", "page": "1"}
        kept = {name: value for name, value in given.items() if value != default[name]}
        return f"?{urlencode(kept)}"

    def rows(self, run: Run) -> Page[Latent]:
        """One page of latents; a page that is not there is the nearest that is."""
        order = f"{'-' if self.descending else ''}{SORTS[self.sort]}"
        ordered = self._filtered(run).order_by(order, "index")
        return Paginator(ordered, PAGE_SIZE).get_page(self.page)

    def _filtered(self, run: Run) -> LatentQuerySet:
        latents = Latent.objects.readable().filter(run=run)
        match self.show:
            case "alive":
                return latents.alive()
            case "dead":
                return latents.dead()
            case _:
                return latents


@dataclass(frozen=True, slots=True)
class Column:
    """A heading that sorts."""

    name: str
    query: str
    direction: str  # of aria-sort; empty when the table is sorted by another

    @property
    def label(self) -> str:
        """The heading's word, with the way it is sorted."""
        arrow = {"descending": " ↓", "ascending": " ↑"}
        return self.name + arrow.get(self.direction, "")


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter, and how many latents it leaves."""

    label: str
    count: int
    query: str
    is_current: bool


def columns(view: View, ends: int = 1) -> list[Column]:
    """The headings that sort; numbers begin with their farthest from 0, a second click turns them.

    Only latents with two ends have a minimum.
    """
    return [_column(view, name) for name in SORTS if ends > 1 or name != "min"]


def choices(view: View, n_alive: int, n_dead: int) -> list[Choice]:
    """The filters."""
    counts = {"all": n_alive + n_dead, "alive": n_alive, "dead": n_dead}
    return [
        Choice(name, count, view.query(show=name), name == view.show)
        for name, count in counts.items()
    ]


def _column(view: View, name: str) -> Column:
    is_current = view.sort == name
    descending = not view.descending if is_current else name not in ("index", "min")
    return Column(
        name=name,
        query=view.query(sort=name, descending=descending),
        direction=("descending" if view.descending else "ascending") if is_current else "",
    )
