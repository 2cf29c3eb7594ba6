"""Gated sparse autoencoders (Rajamanoharan et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from featureviz.engine.dictionaries.base import DenseCodes, Dictionary


@dataclass(frozen=True, eq=False)
class Gated(Dictionary):
    """p = W_enc (x - b_dec); f = ReLU(exp(r_mag) p + b_mag) where p + b_gate > 0.

    `b_enc` is zero here: gate and magnitude have biases of their own.
    """

    b_gate: Float[Tensor, " d_sae"]
    b_mag: Float[Tensor, " d_sae"]
    r_mag: Float[Tensor, " d_sae"]

    def codes(self, x: Float[Tensor, "n d_in"]) -> DenseCodes:
        """Magnitudes where the gate is open."""
        p = self.pre_activations(x)
        magnitude = p * self.r_mag.exp() + self.b_mag
        return DenseCodes(magnitude.masked_fill_(p + self.b_gate <= 0, 0))
