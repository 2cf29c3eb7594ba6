"""Dictionaries without a nonlinearity: PCA, ICA and random directions; both signs mean something.

An activation is signed, c = W_enc (x - b_dec), and may lie anywhere. The engine knows activations
> 0 only, so such a latent runs as two *ends*, one after the other: 2i has ReLU(c) and writes along
d_i, 2i + 1 has ReLU(-c) and writes along -d_i. Together they are c d_i again; `engine/ends.py`
makes one dashboard of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from featureviz.engine.dictionaries.base import DenseCodes, Dictionary

ENDS = 2  # of a signed latent


@dataclass(frozen=True, eq=False)
class Linear(Dictionary):
    """c = W_enc (x - b_dec), as two ends a latent: columns 2i and 2i + 1 of W_enc are opposite."""

    def codes(self, x: Float[Tensor, "n d_in"]) -> DenseCodes:
        """Both ends of every latent; exactly opposite, as each product is taken once."""
        return DenseCodes(two_ends((x - self.b_dec) @ self._filters, dim=1))

    @cached_property
    def _filters(self) -> Float[Tensor, "d_in n_latents"]:
        return self.W_enc[:, ::ENDS].contiguous()


def two_ends(values: Tensor, dim: int) -> Tensor:
    """Each slice along a dimension, then its opposite: v0, -v0, v1, -v1, …."""
    return torch.stack((values, -values), dim + 1).flatten(dim, dim + 1)
