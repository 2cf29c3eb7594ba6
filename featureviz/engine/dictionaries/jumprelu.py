"""JumpReLU sparse autoencoders (Rajamanoharan et al. 2024); BatchTopK at inference is one too."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from featureviz.engine.dictionaries.base import DenseCodes, Dictionary


@dataclass(frozen=True, eq=False)
class JumpReLU(Dictionary):
    """f = z where z > threshold (and > 0), else 0; z = W_enc (x - b_dec) + b_enc."""

    threshold: Float[Tensor, " d_sae"]

    def codes(self, x: Float[Tensor, "n d_in"]) -> DenseCodes:
        """Pre-activations above their latent's threshold."""
        z = self.pre_activations(x)
        return DenseCodes(z.masked_fill_(z <= self.threshold, 0))
