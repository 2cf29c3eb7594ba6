"""How a latent goes with the latents of a run over the same corpus: frozen records, like schema."""

import msgspec

from featureviz.dashboards.schema import Record


class Related(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One of those latents, and every figure of the pair."""

    index: int
    n_both: int  # counted positions where both are active
    correlation: float | None  # Pearson over all counted positions; None: one is constant
    jaccard: float  # n_both of the positions where either is active
    cosine: float | None  # of decoder rows; None: they point in other spaces, or one is zero
    logit_correlation: float | None  # Pearson over the vocabulary; None: one writes no logits


class Relations(Record, frozen=True, gc=False):
    """What goes with one latent in one run; by each figure the strongest, itself left out.

    Splitting is told where the other dictionary reads the same hook point of the same model and
    has another size: a latent is part of the one of the smaller dictionary it points along most.
    """

    index: int
    related: tuple[Related, ...]  # ascending
    parent: Related | None = None  # the latent of a smaller dictionary this one is part of
    children: tuple[Related, ...] = ()  # of a larger dictionary, largest cosine first, some
    n_children: int = 0  # all of them
