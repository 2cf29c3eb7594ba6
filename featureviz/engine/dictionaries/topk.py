"""TopK sparse autoencoders (Gao et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from featureviz.engine.dictionaries.base import Dictionary, SparseCodes


@dataclass(frozen=True, eq=False)
class TopK(Dictionary):
    """The k largest of ReLU(W_enc (x - b_dec) + b_enc), over the whole width at once."""

    k: int

    def codes(self, x: Float[Tensor, "n d_in"]) -> SparseCodes:
        """The k latents of every row; fewer where fewer are > 0."""
        values, latents = self.pre_activations(x).topk(self.k, dim=1, sorted=False)
        return SparseCodes(values.clamp_min(0), latents, self.facts.d_sae)
