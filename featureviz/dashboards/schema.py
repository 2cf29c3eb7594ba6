"""What a dashboard holds: frozen, versioned records. Edges and units travel with the data."""

import msgspec

SCHEMA_VERSION = 3


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A record whose fields are written by name."""


class Histogram(Record, frozen=True, gc=False):
    """Counts of values between edges; bin k is the half-open (edges[k], edges[k + 1]]."""

    edges: tuple[float, ...]  # n + 1, ascending; empty when there is nothing to count
    counts: tuple[int, ...]  # n


class TokenWeight(Record, frozen=True, gc=False):
    """A vocabulary entry and a number about it."""

    token: int  # id
    value: float


class LogitWeights(Record, frozen=True, gc=False):
    """What one unit of a latent adds to every token's logit along the direct path."""

    top: tuple[TokenWeight, ...]  # largest first
    bottom: tuple[TokenWeight, ...]  # smallest first
    histogram: Histogram  # over the whole vocabulary; the lowest edge is included
    steps: tuple[str, ...]  # what was applied to the raw product, in order; empty: raw


class TokenCount(Record, frozen=True, gc=False):
    """A token a latent fires on."""

    token: int  # id
    n_active: int  # positions with this token where the latent is active
    n_tokens: int  # positions with this token in the corpus
    total: float  # summed activation on this token


class TokenEffect(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a prediction loses when the latent is taken out of the whole context, in nats.

    An effect is log p(token) without ablation minus with it: > 0 where the latent helped.
    """

    position: int  # of the token predicted, counted in the context; never 0
    total: float  # the rest of the model run again
    direct: float | None  # only the final residual stream changed; None: no linear write
    kl: float  # KL(clean || ablated) of the prediction, for the total effect
    risen: tuple[TokenWeight, ...] = ()  # p ablated - p clean, largest first, three at most
    fallen: tuple[TokenWeight, ...] = ()  # the same difference, smallest first, three at most


class Example(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A place in the corpus where a latent was looked at; the text stays in the corpus."""

    context: int  # row of the corpus
    position: int  # of the selecting token, counted in the context, its first token is 0
    activation: float  # of the latent at that position
    positions: tuple[int, ...]  # every active position of the context, ascending
    activations: tuple[float, ...]  # the latent's activation there
    repeated: bool = False  # the same (context, position) stands in an earlier group
    n_alike: int = 1  # examples of this group that read like this one, itself included
    alike: bool = False  # reads like one that stands before it in the group (docs/methods.md)
    effects: tuple[TokenEffect, ...] | None = None  # ascending; None: not computed


class Interval(Record, frozen=True, gc=False):
    """A tenth of the range of a latent's activations: the half-open (lower, upper]."""

    lower: float
    upper: float
    n_active: int  # positions of the corpus whose activation lies in it, exact
    examples: tuple[Example, ...]  # distinct contexts, chosen uniformly, strongest first


class Dashboard(Record, frozen=True, gc=False):
    """Everything a run knows of one latent."""

    index: int
    n_tokens: int  # positions that count: special tokens and padding left out
    n_active: int  # of those, activation > 0
    n_contexts: int  # of the corpus
    n_active_contexts: int  # contexts with at least one active position
    sum_activation: float
    sum_squared_activation: float
    max_activation: float  # 0 when dead
    decoder_norm: float
    histogram: Histogram  # of the activations > 0
    logits: LogitWeights | None  # none where the hook writes nothing linearly
    top: tuple[Example, ...]  # strongest distinct contexts, strongest first
    intervals: tuple[Interval, ...]  # strongest first; empty when dead
    random: tuple[Example, ...]  # uniform over active positions, distinct contexts
    fires_on: tuple[TokenCount, ...]  # most frequent first
    effect_threshold: float | None = None  # nats; smaller effects are left out of the examples

    @property
    def density(self) -> float:
        """Share of counted tokens where the latent is active (STYLE "density")."""
        return self.n_active / self.n_tokens if self.n_tokens else 0.0

    @property
    def mean_activation(self) -> float:
        """Mean over the active positions; 0 when dead."""
        return self.sum_activation / self.n_active if self.n_active else 0.0
