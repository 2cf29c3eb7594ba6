"""Plots as inline SVG: geometry in attributes, colours in classes, edges from the data."""

import math
from collections.abc import Callable, Sequence

from django.utils.html import escape

from featureviz.browse.formats import activation, percent, whole
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


def length_bar(share: float, classes: str) -> str:
    """A thin bar, as long as a share of its cell."""
    width = 100 * min(1, max(0, share))
    return (
        f'<svg class="length {classes}" viewBox="0 0 100 3" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect width="{width:.1f}" height="3"></rect></svg>'
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
