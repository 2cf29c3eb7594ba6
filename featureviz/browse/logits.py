"""The logit weights of a latent, in the forms a reader may switch between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from featureviz.dashboards.schema import Dashboard, Histogram, LogitWeights, TokenWeight

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Weight:
    """A token and its logit weight."""

    token: int
    text: str
    value: float


@dataclass(frozen=True, slots=True)
class LogitForm:
    """One form of the weights: the plain product, or as the final norm lets it through."""

    name: str  # as the switch of the page names it
    steps: tuple[str, ...]  # what was done to the plain product, in order
    promoted: tuple[Weight, ...]  # largest first
    suppressed: tuple[Weight, ...]  # smallest first
    histogram: Histogram

    @property
    def longest(self) -> float:
        """The longest bar stands for this."""
        return max((abs(row.value) for row in self.promoted + self.suppressed), default=0.0)

    @property
    def last_edge(self) -> float:
        """The upper end of the histogram."""
        return self.histogram.edges[-1]


def logit_forms(dashboard: Dashboard, text_of: Callable[[int], str]) -> list[LogitForm]:
    """The forms there are, the one readers see first at the front; none without a linear write."""
    every = (("normalised", dashboard.logits_normalised), ("raw", dashboard.logits))
    return [_form(name, weights, text_of) for name, weights in every if weights is not None]


def _form(name: str, weights: LogitWeights, text_of: Callable[[int], str]) -> LogitForm:
    def named(rows: Sequence[TokenWeight]) -> tuple[Weight, ...]:
        return tuple(Weight(row.token, text_of(row.token), row.value) for row in rows[:_SHOWN])

    return LogitForm(
        name, weights.steps, named(weights.top), named(weights.bottom), weights.histogram
    )
