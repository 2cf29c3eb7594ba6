"""Examples as list items.

A page has ninety and more, so they are written here, not in a template: that takes a quarter of the
time. What is a number or an address of ours needs no escaping; an example's text is escaped by its
strip.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape

from featureviz.browse.effects import PageEffects
from featureviz.browse.formats import activation, whole
from featureviz.browse.rows import Row
from featureviz.browse.strips import Strip
from featureviz.browse.switches import Switches


@dataclass(frozen=True)
class ExampleRows:
    """Writes rows the way a page is drawn."""

    switches: Switches
    effects: PageEffects | None
    index: int  # of the latent
    elsewhere: str = ""  # the page links lead to, where it is not the one they stand on

    def html(self, rows: Iterable[Row]) -> str:
        """They, one after another."""
        return "".join(map(self._row, rows))

    def _row(self, row: Row) -> str:
        spaces = self.switches.sp == "on"
        opened = " open" if row.anchor == "ex" else ""
        return (
            f'<li class="row{opened}" id="{row.anchor}" data-context="{row.example.context}">'
            f"{self._value(row)}{Strip(row, spaces, self.effects).html()}"
            f'<span class="marks">{self._more(row)}{_alike(row)}</span></li>'
        )

    def _value(self, row: Row) -> str:
        example = row.example
        target = ' target="_blank" rel="noopener"' if self.elsewhere else ""
        return (
            f'<a class="value" href="{escape(self.elsewhere)}{self._at}{row.place}#ex"{target} '
            f'title="Link to this example: context {example.context}, position '
            f'{example.position}">{activation(example.activation, row.top)}</a>'
        )

    def _more(self, row: Row) -> str:
        """The way to the other strong tokens of the context."""
        strong = row.strong
        if len(strong) < 2 or self.elsewhere:
            return ""
        return (
            f'<a class="more" tabindex="-1" data-at="{" ".join(map(str, strong))}" '
            f'href="{self.index}{self._at}{row.example.context}.{strong[0]}#ex" '
            'title="More tokens at least half as strong: put the next one in the column">'
            f"+{len(strong) - 1}</a>"
        )

    @cached_property
    def _at(self) -> str:
        query = self.switches.query()
        return escape(f"{query}{'&' if query else '?'}ex=")


def _alike(row: Row) -> str:
    example = row.example
    if example.repeated:
        return '<abbr title="Shown in a group above">↑</abbr>'
    if example.alike:
        return '<abbr title="Reads like one above">≈</abbr>'
    if example.n_alike < 2:
        return ""
    count = whole(example.n_alike)
    return f'<abbr title="{count} examples of this group read alike">×{count}</abbr>'
