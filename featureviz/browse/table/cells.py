"""A table's columns, and their cells as HTML.

A page has a thousand cells and more, so they are written here, not in a template. Text from a
corpus is escaped in this file and by the `token` filter, nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from featureviz.browse.formats import decimals_for, fixed, percent, signed, whole
from featureviz.browse.plots import length_bar
from featureviz.browse.table.excerpts import Excerpt, excerpt
from featureviz.browse.table.statistics import STATISTICS, Statistic, statistics_of
from featureviz.browse.templatetags.reading import token
from featureviz.catalog.models import Latent, Run
from featureviz.dashboards.text import main_script

_RAREST = 1e-6  # where the bar of a density begins
# Columns by the width of the window that has room for them, in their order.
_ALWAYS = ("index", "about", "density", "max")
_USUAL = ("histogram", "min", "fires", "promotes")
_ROOMY = ("tokens", "mean", "share", "weight")
_ORDER = (
    "index", "about", "histogram", "density", "tokens", "contexts", "context-density", "max",
    "mean", "variation", "min", "negative", "fires", "share", "promotes", "weight", "norm",
)  # fmt: skip
_WIDEST = ("contexts", "variation", "norm")
_LABELS = {
    "about": "explanation, or strongest context",
    "histogram": "activations",
    "fires": "fires most on",
    "promotes": "promotes most",
}
_MEANINGS = {
    "about": "What somebody wrote about it; without that, the words around its largest activation.",
    "histogram": "How its activations are spread from 0 to its maximum; heights are logarithmic.",
    "fires": "The tokens on which it is active most often, most frequent first.",
    "promotes": "The tokens with its largest logit weights.",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str
    classes: str

    @property
    def statistic(self) -> Statistic | None:
        """What it is sorted by; none of texts."""
        return STATISTICS.get(self.name)

    @property
    def label(self) -> str:
        """Its heading."""
        return _LABELS.get(self.name, self.name.replace("-", " "))

    @property
    def meaning(self) -> str:
        """One sentence about it."""
        return self.statistic.meaning if self.statistic else _MEANINGS[self.name]

    @property
    def unit(self) -> str:
        """Of its numbers."""
        return self.statistic.unit if self.statistic else ""


def columns_of(run: Run, chosen: Sequence[str] = ()) -> list[Column]:
    """The columns chosen, in their own order; else those the window has room for.

    The index always leads: it is the link to the latent.
    """
    known = _known(run)
    if chosen:
        names = [name for name in known if name in chosen or name == "index"]
        return [Column(name, _kind(name)) for name in names]
    rooms = {**dict.fromkeys(_ALWAYS, ""), **dict.fromkeys(_USUAL, " wide")}
    rooms |= {**dict.fromkeys(_ROOMY, " wide roomy"), **dict.fromkeys(_WIDEST, " widest")}
    return [Column(name, _kind(name) + rooms[name]) for name in known if name in rooms]


def every_column(run: Run) -> list[Column]:
    """All there are to choose from."""
    return [Column(name, _kind(name)) for name in _known(run)]


def _known(run: Run) -> list[str]:
    absent = set(STATISTICS) - {each.name for each in statistics_of(run)}
    return [name for name in _ORDER if name not in absent]


def _kind(name: str) -> str:
    if name in STATISTICS:
        return "n"
    return {"about": "ab", "histogram": "sp"}.get(name, "tk")


@dataclass(frozen=True)
class Cells:
    """Writes the rows of a run's table."""

    run: Run
    columns: Sequence[Column]
    scale: float  # the activation farthest from 0, whose decimals all share
    explanations: dict[int, str]  # by index

    def row(self, latent: Latent) -> str:
        """A latent as a line."""
        is_silent = not latent.n_active
        cells = (self._cell(column, latent, is_silent) for column in self.columns)
        opening = '<tr class="dead">' if is_silent and not latent.n_negative else "<tr>"
        return f"{opening}{''.join(cells)}</tr>"

    @cached_property
    def _decimals(self) -> int:
        return decimals_for(self.scale)

    def _cell(self, column: Column, latent: Latent, is_silent: bool) -> str:
        match column.name:
            case "index":
                inside = f'<a class="strong" href="{latent.index}">{latent.index}</a>'
            case "about":
                inside = self._about(latent)
            case "histogram":
                inside = sparkline(bytes(latent.shape))
            case "fires":
                inside = _tokens(latent.fires_on or [latent.top_token], is_silent)
            case "promotes":
                inside = _tokens(latent.promotes or [latent.promoted_token], False)
            case "density":
                inside = self._density(latent)
            case _:
                inside = self._number(column, latent, is_silent)
        return f'<td class="{column.classes}">{inside}</td>'

    def _density(self, latent: Latent) -> str:
        if not latent.n_active and self.run.ends > 1:
            return "never > 0"
        return f"{percent(latent.density)}{density_bar(latent.density)}"

    def _number(self, column: Column, latent: Latent, is_silent: bool) -> str:
        statistic = column.statistic
        value = statistic.of(latent, self.run) if statistic else None
        if statistic is None or value is None or (is_silent and statistic.of_activity):
            return "–"
        return self.written(statistic, value)

    def written(self, statistic: Statistic, value: float) -> str:
        """A number in the way of its kind."""
        match statistic.kind:
            case "share":
                return percent(value)
            case "count" | "index":
                return whole(int(value))
            case "activation":
                return fixed(value, self._decimals)
            case "signed":
                return signed(value, 2)
        return fixed(value, 2)

    def _about(self, latent: Latent) -> str:
        if explanation := self.explanations.get(latent.index):
            return f'<span class="said">{escape(explanation)}</span>'
        found = strongest(self.run, latent)
        if found is not None:
            return _quoted(found)
        if latent.n_active or latent.n_negative:
            return (
                f"{token(latent.top_token)} most often" if latent.top_token else "no context kept"
            )
        return "never fired"


def strongest(run: Run, latent: Latent) -> Excerpt | None:
    """The words around a latent's largest activation; none when it never fired or they are gone."""
    if latent.top_context is None or latent.top_position is None:
        return None
    try:
        return excerpt(run.corpus.stored, latent.top_context, latent.top_position)
    except (OSError, IndexError):
        return None


def sparkline(shape: bytes) -> str:
    """A histogram of one byte a bar, as one path; empty when there is nothing to draw."""
    if not any(shape):
        return ""
    heights = [
        round(bar * 16 / 255) if bar == 0 else max(1, round(bar * 16 / 255)) for bar in shape
    ]
    steps = "".join(
        (f"v{before - height}" if before != height else "") + "h1"
        for before, height in zip((0, *heights), heights, strict=False)
    )
    return (
        f'<svg class="spark" viewBox="0 0 {len(shape)} 16" preserveAspectRatio="none" '
        f'aria-hidden="true"><path d="M0 16{steps}V16z"/></svg>'
    )


def density_bar(density: float) -> str:
    """A thin bar from one in a million to all tokens, logarithmic."""
    share = 1 - math.log10(density) / math.log10(_RAREST) if density else 0
    return length_bar(max(0.0, share), "wide")


def _quoted(found: Excerpt) -> str:
    script = main_script(f"{found.before}{found.peak}{found.after}")
    lang = f' lang="{script.lang}"' if script.lang else ""
    before = ("…" if found.cut_before else "") + escape(found.before)
    after = escape(found.after) + ("…" if found.cut_after else "")
    return (
        f'<span class="ctx" dir="{script.direction}"{lang}><span class="cb"><span>{before}</span>'
        f'</span><span class="ca"><b class="l8">{escape(found.peak)}</b>{after}</span></span>'
    )


def _tokens(texts: Sequence[str], is_silent: bool) -> str:
    shown = [token(text) for text in texts if text]
    return " ".join(shown) if shown and not is_silent else "–"
