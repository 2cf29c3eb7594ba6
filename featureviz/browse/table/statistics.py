"""What latents can be sorted and filtered by: each statistic with its words, unit and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from featureviz.catalog.columns import Columns, Numbers
from featureviz.catalog.models import Latent, Run


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number every latent has."""

    name: str  # in addresses and headings
    unit: str
    meaning: str  # one sentence
    field: str  # of a Latent
    kind: str  # how it is written: share, count, activation, number, index
    per_context: bool = False  # the field over the contexts of the corpus
    two_ended: bool = False  # only signed latents have it

    @property
    def label(self) -> str:
        """Its name as a heading."""
        return self.name.replace("-", " ")

    @property
    def of_activity(self) -> bool:
        """Whether a latent that never fired has none."""
        return self.kind == "activation" or self.name in ("share", "variation")

    def numbers(self, columns: Columns, run: Run) -> Numbers:
        """Of all latents, by index."""
        values = columns[self.field]
        return values / run.corpus.n_contexts if self.per_context else values

    def of(self, latent: Latent, run: Run) -> float | None:
        """Of one latent; none where its row has no such number."""
        value: float | None = getattr(latent, self.field)
        return value / run.corpus.n_contexts if value is not None and self.per_context else value


_ALL = (
    Statistic("index", "", "Its number in the dictionary.", "index", "index"),
    Statistic(
        "density", "share of tokens",
        "Share of the corpus's tokens on which it is active.", "density", "share",
    ),
    Statistic(
        "tokens", "tokens", "Tokens on which it is active.", "n_active", "count",
    ),
    Statistic(
        "contexts", "contexts",
        "Contexts with at least one token on which it is active.", "n_active_contexts", "count",
    ),
    Statistic(
        "context-density", "share of contexts",
        "The same as a share of all contexts.", "n_active_contexts", "share", per_context=True,
    ),
    Statistic("max", "activation", "Its largest activation.", "max_activation", "activation"),
    Statistic(
        "mean", "activation", "Mean over the tokens on which it is active.",
        "mean_activation", "activation",
    ),
    Statistic(
        "variation", "of the mean",
        "Standard deviation over the tokens on which it is active, in units of their mean: "
        "0 when all are alike, above 1 when few stand far above the rest.",
        "variation", "number",
    ),
    Statistic(
        "min", "activation", "The least activation, of the negative end.",
        "min_activation", "activation", two_ended=True,
    ),
    Statistic(
        "negative", "tokens", "Tokens on which its negative end is active.",
        "n_negative", "count", two_ended=True,
    ),
    Statistic(
        "share", "share of active tokens",
        "How much of its activity is on the one token it fires on most often.",
        "top_share", "share",
    ),
    Statistic(
        "weight", "logit per activation",
        "Its largest logit weight: of the token it promotes most.",
        "promoted_weight", "signed",
    ),
    Statistic(
        "norm", "length", "Length of its decoder row.", "decoder_norm", "number",
    ),
)  # fmt: skip

STATISTICS = {statistic.name: statistic for statistic in _ALL}


def statistics_of(run: Run) -> list[Statistic]:
    """Those the latents of a run have."""
    return [each for each in _ALL if run.ends > 1 or not each.two_ended]
