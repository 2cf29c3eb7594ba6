"""Both ends of a signed latent: which one is shown, and the two side by side."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from django.utils.html import escape

from featureviz.browse.formats import activation, percent, whole
from featureviz.browse.switches import Switches
from featureviz.dashboards.schema import Dashboard

_LOWEST = 3.0  # of 100: the height of the thinnest bar


@dataclass(frozen=True, slots=True)
class End:
    """One end: its numbers, and the address that shows it."""

    name: str  # negative, positive
    extreme: str  # minimum, maximum
    sign: str  # as in "tokens < 0"
    dashboard: Dashboard
    address: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of a signed latent, the negative one on the left."""

    negative: End
    positive: End

    @classmethod
    def of(cls, dashboard: Dashboard, switches: Switches, index: int) -> Self | None:
        """The ends of a latent; none where it has but one."""
        if dashboard.negative is None:
            return None
        addresses = {end: f"{index}{switches.query(end=end)}" for end in ("neg", "pos")}
        is_negative = switches.end == "neg"
        return cls(
            End("negative", "Minimum", "<", dashboard.negative, addresses["neg"], is_negative),
            End("positive", "Maximum", ">", dashboard, addresses["pos"], not is_negative),
        )

    def __iter__(self) -> Iterator[End]:
        yield self.negative
        yield self.positive

    @property
    def shown(self) -> End:
        """The end whose page this is."""
        return self.negative if self.negative.is_shown else self.positive

    @property
    def other(self) -> End:
        """The end whose page it is not."""
        return self.positive if self.negative.is_shown else self.negative

    @property
    def widest(self) -> float:
        """The activation farthest from 0; both ends' numbers get its decimals."""
        return max((end.dashboard.max_activation for end in self), key=abs)


def two_ended(ends: Ends) -> str:
    """Both histograms on one axis: heights are tokens per unit of activation, on a log scale.

    The bars of an end are equally wide, those of the other are not as wide: only counts per unit
    can be compared. Each end leads to its own page.
    """
    low = ends.negative.dashboard.max_activation
    span = (ends.positive.dashboard.max_activation - low) or 1.0
    rates = [rate for end in ends for _, _, rate in _bars(end) if rate]
    least, most = min(rates, default=1.0), max(rates, default=1.0)
    scale = math.log(most / least) or 1.0
    drawn = []
    for end in ends:
        bars = "".join(
            f'<rect x="{100 * (left - low) / span:.2f}" width="{100 * width / span:.2f}" '
            f'y="{100 - height:.1f}" height="{height:.1f}"></rect>'
            for left, width, rate in _bars(end)
            if rate
            for height in [_LOWEST + (100 - _LOWEST) * math.log(rate / least) / scale]
        )
        shown = ' class="shown"' if end.is_shown else ""
        drawn.append(
            f'<a href="{escape(end.address)}" data-keep tabindex="-1"{shown}>'
            f"<title>{escape(_said(end, ends.widest))}</title>{bars}</a>"
        )
    zero = 100 * -low / span
    return (
        '<svg class="plot both" viewBox="0 0 100 100" preserveAspectRatio="none" role="group" '
        f'aria-label="Activations on both sides of 0">{"".join(drawn)}'
        f'<line x1="{zero:.2f}" x2="{zero:.2f}" y1="0" y2="100"></line></svg>'
    )


def _bars(end: End) -> Iterator[tuple[float, float, float]]:
    """(left edge, width, tokens per unit of activation) of every bar."""
    edges, counts = end.dashboard.histogram.edges, end.dashboard.histogram.counts
    for bin_, count in enumerate(counts):
        width = edges[bin_ + 1] - edges[bin_]
        yield edges[bin_], width, count / width if width else 0.0


def _said(end: End, widest: float) -> str:
    found = end.dashboard
    return (
        f"{end.name} end: {whole(found.n_active)} tokens, {percent(found.density)}, "
        f"as far as {activation(found.max_activation, widest)}"
    )
