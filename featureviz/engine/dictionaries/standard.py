"""ReLU sparse autoencoders (Bricken et al. 2023)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from featureviz.engine.dictionaries.base import DenseCodes, Dictionary


class Standard(Dictionary):
    """f = ReLU(W_enc (x - b_dec) + b_enc)."""

    def codes(self, x: Float[Tensor, "n d_in"]) -> DenseCodes:
        """Pre-activations as they are: silent is whatever is not > 0, so the ReLU costs nothing."""
        return DenseCodes(self.pre_activations(x))
