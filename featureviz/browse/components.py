"""Every part of the pages in every state, from the same templates, on invented data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from featureviz.browse import invented
from featureviz.browse.attention import Sourced, sourced
from featureviz.browse.ends import Ends
from featureviz.browse.formats import percent, whole
from featureviz.browse.invented import InventedPage
from featureviz.browse.rows import Reader, Row
from featureviz.browse.switches import Switches

_PAPERS = ("page", "surface", "sunk", "rule", "rule-strong", "edge")
_INKS = ("ink", "ink-2", "ink-3", "help", "hurt", "focus")


@dataclass(frozen=True, slots=True)
class Setting:
    """A group of rows drawn in one way."""

    title: str
    view: str
    num: str
    br: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Components:
    """What the page shows, beside what is written in its template."""

    query: Mapping[str, str]

    @cached_property
    def page(self) -> InventedPage:
        """A latent with examples."""
        return InventedPage.drawn(self.query)

    @cached_property
    def dead(self) -> InventedPage:
        """One that never fired."""
        return InventedPage.drawn(self.query, invented.dead())

    @property
    def ends(self) -> Ends | None:
        """Both ends of a signed one."""
        return Ends.of(invented.signed(), Switches.of(self.query), invented.INDEX)

    @property
    def settings(self) -> list[Setting]:
        """The ways rows are drawn, beside the one the switches choose."""
        ways = (
            ("±4", "4", "off", "off"),
            ("±16", "16", "off", "off"),
            ("Whole, with numbers", "whole", "on", "off"),
            ("Whole, with real line breaks", "whole", "off", "on"),
        )
        reader = Reader(invented.CORPUS, self.page.dashboard)
        top = self.page.dashboard.top
        return [
            Setting(title, view, num, br, reader.rows(f"way{number}", top))
            for number, (title, view, num, br) in enumerate(ways)
        ]

    @property
    def shared_scale(self) -> tuple[Row, ...]:
        """Rows coloured by a maximum three times their own."""
        board = self.page.dashboard
        reader = Reader(invented.CORPUS, board, 3 * board.max_activation)
        return reader.rows("shared", board.top[:4])

    @property
    def sourced(self) -> list[Sourced]:
        """Where attention brought its activations from."""
        return sourced(self.page.dashboard, invented.CORPUS)

    @property
    def papers(self) -> tuple[str, ...]:
        """Colours of surfaces and rules."""
        return _PAPERS

    @property
    def inks(self) -> tuple[str, ...]:
        """Colours of text."""
        return _INKS

    @property
    def levels(self) -> range:
        """Steps of the activation scale."""
        return range(1, 11)

    @property
    def texts(self) -> tuple[str, ...]:
        """Tokens that are hard to show."""
        return (
            " river", "ing", "   ", "\n", "\t", " النهر", " הנהר", "川", "🙂", "\u200d",
            "‹E2›", "<b>", "a token that is much too long for any column to hold",
        )  # fmt: skip

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """Numbers as they are written, and what they stand for."""
        return [
            (whole(260096), "260096 tokens"),
            (percent(0.00361), "0.00361 as a share"),
            (percent(5e-6), "0.000005 as a share, never 0 %"),
            (percent(0.99999), "0.99999 as a share, never 100 %"),
        ]


@require_safe
def components(request: HttpRequest, index: str = "") -> HttpResponse:
    """The page of design review; an index lets its switches lead back to it."""
    return render(request, "browse/components.html", {"parts": Components(request.GET)})
