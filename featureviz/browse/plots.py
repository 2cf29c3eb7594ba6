"""Plots as inline SVG: geometry in attributes, colours in classes, edges from the data."""

import math
from collections.abc import Callable, Sequence

from django.utils.html import escape

from featureviz.browse.formats import activation, fixed, percent, whole
from featureviz.browse.profile import Level
from featureviz.dashboards.schema import Dashboard, Histogram

_LOWEST = 1.5  # of 100: a bar that stands for one token can still be seen


def activation_histogram(dashboard: Dashboard) -> str:
    """Counts of an end's activations; each bar leads to the examples of its interval."""
    histogram, top = dashboard.histogram, dashboard.max_activation
    linear, log = _heights(histogram.counts, float), _heights(histogram.counts, math.log1p)
    bars = "".join(
        f'<a href="#{_interval_of(dashboard, bin_)}" tabindex="-1">'
        f"<title>{escape(_bar_text(dashboard, bin_))}</title>"
        f"{_bar(histogram, bin_, linear[bin_], 'f lin')}{_bar(histogram, bin_, log[bin_], 'f log')}"
        f"{_bar(histogram, bin_, 100, 'hit')}</a>"
        for bin_ in range(len(histogram.counts))
    )
    way = "up" if top > 0 else "down"
    count = whole(dashboard.n_active)
    label = f"Histogram of {count} activations {way} to {activation(top, top)}"
    return (
        f'<svg class="plot hist" viewBox="0 0 100 100" preserveAspectRatio="none" '
        f'role="group" aria-label="{label}">{bars}'
        '<line class="mk" x1="-9" x2="-9" y1="0" y2="100"></line></svg>'
    )


def facing_histogram(dashboard: Dashboard, axis: float) -> str:
    """Counts of an end's activations by size on a log axis, up to `axis`; beside others' alike."""
    histogram = dashboard.histogram
    edges = tuple(sorted(abs(edge) for edge in histogram.edges))
    counts = histogram.counts if dashboard.max_activation > 0 else histogram.counts[::-1]
    heights = _heights(counts, math.log1p)
    bars = "".join(
        f'<rect class="f" x="{100 * low / axis:.2f}" width="{100 * (high - low) / axis:.2f}" '
        f'y="{100 - height:.1f}" height="{height:.1f}"></rect>'
        for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True)
        if height
    )
    strongest = activation(dashboard.max_activation, dashboard.max_activation)
    return (
        '<svg class="plot hist" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Histogram of {whole(dashboard.n_active)} activations, strongest {strongest}">'
        f"{bars}</svg>"
    )


def logit_histogram(histogram: Histogram) -> str:
    """Logit weights of the whole vocabulary, counts on a log axis."""
    heights = _heights(histogram.counts, math.log1p)
    bars = "".join(
        _bar(histogram, bin_, height, "f") for bin_, height in enumerate(heights) if height
    )
    return (
        '<svg class="plot lh" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Logit weights of {whole(sum(histogram.counts))} tokens">{bars}</svg>'
    )


def class_histogram(levels: Sequence[Level], top: float) -> str:
    """Active tokens by level, weakest first: those in the class below, the others hatched above.

    Over it a strip of the share in the class, level by level, from 0 to all.
    """
    linear = _heights([level.n_active for level in levels], float)
    log = _heights([level.n_active for level in levels], math.log1p)
    bars = "".join(
        f"<g><title>{escape(_level_text(level, top))}</title>"
        f"{_stacked(number, level.share, linear[number], 'lin')}"
        f"{_stacked(number, level.share, log[number], 'log')}</g>"
        for number, level in enumerate(levels)
    )
    return _split_plot("counts", "Active tokens by level of activation", bars)


def class_shares(levels: Sequence[Level], top: float, base: float) -> str:
    """The share of each level's tokens that are in the class, weakest first; a line at the base."""
    bars = "".join(
        f"<g><title>{escape(_level_text(level, top))}</title>"
        f"{_stacked(number, level.share, 100 if level.n_active else 0, '')}</g>"
        for number, level in enumerate(levels)
    )
    level = f"{100 - 100 * base:.1f}"
    line = f'<line class="mk" x1="0" x2="100" y1="{level}" y2="{level}"></line>'
    return _split_plot("shares", "Share in the class by level of activation", bars + line)


def count_histogram(histogram: Histogram, unit: str) -> str:
    """How many there are between edges; a bar says so when pointed at."""
    heights = _heights(histogram.counts, float)
    bars = "".join(
        f"<g><title>{fixed(low, 2)} to {fixed(high, 2)}: {whole(count)} {escape(unit)}</title>"
        f"{_bar(histogram, bin_, heights[bin_], 'f')}{_bar(histogram, bin_, 100, 'hit')}</g>"
        for bin_, (low, high, count) in enumerate(
            zip(histogram.edges[:-1], histogram.edges[1:], histogram.counts, strict=True)
        )
    )
    return (
        f'<svg class="plot bars" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Histogram of {whole(sum(histogram.counts))} {escape(unit)}">{bars}</svg>'
    )


def length_bar(share: float, classes: str) -> str:
    """A thin bar, as long as a share of its cell."""
    width = 100 * min(1, max(0, share))
    return (
        f'<svg class="length {classes}" viewBox="0 0 100 3" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect width="{width:.1f}" height="3"></rect></svg>'
    )


def level_strip(levels: Sequence[int]) -> str:
    """A text as a strip of cells, one a token, each in the colour of its activation."""
    cells = "".join(
        f'<rect class="l{level}" x="{at}" width="1" height="1"></rect>'
        for at, level in enumerate(levels)
        if level
    )
    return (
        f'<svg class="levels" viewBox="0 0 {len(levels)} 1" preserveAspectRatio="none" '
        f'aria-hidden="true">{cells}</svg>'
    )


def _heights(counts: Sequence[int], scale: Callable[[float], float]) -> list[float]:
    tallest = scale(max(counts, default=0)) or 1
    return [max(_LOWEST, 100 * scale(count) / tallest) if count else 0 for count in counts]


def _bar(histogram: Histogram, bin_: int, height: float, classes: str) -> str:
    first, last = histogram.edges[0], histogram.edges[-1]
    span = (last - first) or 1
    left = 100 * (histogram.edges[bin_] - first) / span
    width = 100 * (histogram.edges[bin_ + 1] - histogram.edges[bin_]) / span
    gap = 0 if classes == "hit" else min(0.3, width / 5)
    return (
        f'<rect class="{classes}" x="{left:.2f}" y="{100 - height:.1f}" '
        f'width="{width - gap:.2f}" height="{height:.1f}"></rect>'
    )


def _split_plot(name: str, label: str, inside: str) -> str:
    hatch = (
        f'<pattern id="hatch-{name}" width="100" height="6" patternUnits="userSpaceOnUse">'
        '<rect class="paper" width="100" height="6"></rect>'
        '<rect class="ink" width="100" height="2"></rect></pattern>'
    )
    return (
        f'<svg class="plot split {name}" viewBox="0 0 100 100" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}"><defs>{hatch}</defs>{inside}</svg>'
    )


def _stacked(number: int, share: float, height: float, classes: str) -> str:
    """One bar of ten: the part in the class at its foot, the rest above it."""
    left, width, lower = 10 * number, 9.4, height * share
    return "".join(
        f'<rect class="{kind} {classes}" x="{left}" y="{100 - foot - part:.1f}" '
        f'width="{width}" height="{part:.1f}"></rect>'
        for kind, foot, part in (("in", 0.0, lower), ("out", lower, height - lower))
        if part > 0
    )


def _level_text(level: Level, top: float) -> str:
    bounds = f"{activation(level.lower, top)} to {activation(level.upper, top)}"
    if not level.n_active:
        return f"{bounds}: no token"
    inside = f"{whole(level.inside)} of {whole(level.n_active)} tokens in the class"
    return f"{bounds}: {inside}, {percent(level.share)}"


def _interval_of(dashboard: Dashboard, bin_: int) -> str:
    """The anchor of the interval that holds a bar; intervals stand strongest first."""
    middle = (dashboard.histogram.edges[bin_] + dashboard.histogram.edges[bin_ + 1]) / 2
    for rank, interval in enumerate(dashboard.intervals):
        if interval.lower <= middle <= interval.upper:
            return f"i{len(dashboard.intervals) - rank}"
    return "top"


def _bar_text(dashboard: Dashboard, bin_: int) -> str:
    histogram, top = dashboard.histogram, dashboard.max_activation
    lower, upper = (activation(edge, top) for edge in histogram.edges[bin_ : bin_ + 2])
    count = histogram.counts[bin_]
    return f"{lower} to {upper}: {whole(count)} tokens, {percent(count / dashboard.n_active)}"
