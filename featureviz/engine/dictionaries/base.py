"""What every dictionary offers, whatever its architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class DictionaryFacts:
    """What a dictionary is, for the catalogue."""

    name: str  # last but one part of a latent's address
    source: str  # folder it was loaded from
    digest: str  # of weights and configuration
    architecture: str
    hook: str  # hook point it reads
    d_in: int
    d_sae: int  # width of its codes: latents, or of a signed dictionary their ends
    context_size: int | None  # it was trained on, when it says so
    ends: int = 1  # 2: signed; codes 2i and 2i + 1 are latent i's positive and negative end
    dense: bool = False  # most latents are active on most tokens

    @property
    def n_latents(self) -> int:
        """Latents, each counted once."""
        return self.d_sae // self.ends

    @property
    def most_active(self) -> int:
        """Codes to expect on one token where there is no sparsity; 0 where there is."""
        return self.n_latents if self.dense else 0


@dataclass(frozen=True, slots=True)
class DenseCodes:
    """Activations as a matrix; an entry is active where it is > 0, anything else is silent."""

    values: Float[Tensor, "n d_sae"]

    def dense(self) -> Float[Tensor, "n d_sae"]:
        """The activations, silent entries 0."""
        return self.values.clamp_min(0)


@dataclass(frozen=True, slots=True)
class SparseCodes:
    """Activations as (latent, value) pairs, as many in every row; a value of 0 is silent."""

    values: Float[Tensor, "n k"]
    latents: Int[Tensor, "n k"]
    d_sae: int

    def dense(self) -> Float[Tensor, "n d_sae"]:
        """The activations as a matrix."""
        empty = self.values.new_zeros(len(self.values), self.d_sae)
        return empty.scatter_(1, self.latents, self.values)


Codes = DenseCodes | SparseCodes


@dataclass(frozen=True, eq=False)
class Dictionary(ABC):
    """Encoder and decoder of one dictionary, float32.

    The reconstruction of x is `codes(x).dense() @ W_dec + b_dec`.
    """

    facts: DictionaryFacts
    W_enc: Float[Tensor, "d_in d_sae"]
    b_enc: Float[Tensor, " d_sae"]
    W_dec: Float[Tensor, "d_sae d_in"]
    b_dec: Float[Tensor, " d_in"]
    subtract_b_dec: bool  # from the input, before encoding

    @abstractmethod
    def codes(self, x: Float[Tensor, "n d_in"]) -> Codes:
        """All latents of these activations at once."""

    def pre_activations(self, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
        """What the nonlinearity gets."""
        centred = x - self.b_dec if self.subtract_b_dec else x
        return torch.addmm(self.b_enc, centred, self.W_enc)
