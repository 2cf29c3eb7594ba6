"""The neuron basis of a hook: latent i is coordinate i."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from featureviz.engine.dictionaries.base import DenseCodes, Dictionary
from featureviz.engine.dictionaries.linear import two_ends


@dataclass(frozen=True, eq=False)
class Neurons(Dictionary):
    """f = x where the hook is never negative (after a ReLU); else c = x, as two ends a neuron."""

    def codes(self, x: Float[Tensor, "n d_in"]) -> DenseCodes:
        """The activations at the hook themselves: no product with the identity is taken."""
        return DenseCodes(x if self.facts.ends == 1 else two_ends(x, dim=1))
