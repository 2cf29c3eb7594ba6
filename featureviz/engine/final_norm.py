"""What a model's final norm does to a direction, its per-token scale aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from featureviz.engine.subject import Subject

_TOLERANCE = 1e-3  # of the largest entry, between the module and the formula that stands for it
_SCALE = 30.0  # of the probes: beside it no norm's epsilon counts


@dataclass(frozen=True, slots=True)
class FinalNorm:
    """A norm as a linear map, but for the scale it takes from each token.

    A bias adds the same to a logit whatever the latent does, and is left out.
    """

    centres: bool  # the mean over d_model is removed: LayerNorm, not RMSNorm
    weight: Float[Tensor, " d_model"] | None  # None: it has none


@torch.inference_mode()
def final_norm(subject: Subject) -> FinalNorm | None:
    """The final norm of a model; None where it is neither a LayerNorm nor an RMSNorm.

    It is found by trying, so that a weight stored as its distance from 1 (Gemma) is read right.
    """
    module = subject.final_norm
    if module is None:
        return FinalNorm(centres=False, weight=None)
    generator = torch.Generator().manual_seed(0)
    probes = torch.randn(4, subject.facts.d_model, generator=generator) + 1  # centring them shows
    probes = (probes * _SCALE * torch.tensor([1.0, 2, 3, 4])[:, None]).to(subject.device)
    odd = (module(probes) - module(-probes)) / 2  # a bias falls out
    for weight, centres in product(_weights(module), (False, True)):
        if _fits(odd, probes, centres, weight):
            return FinalNorm(centres, weight)
    return None


def _weights(module: Any) -> Iterator[Tensor | None]:
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor):
        yield weight.detach()
        yield 1 + weight.detach()
    yield None


def _fits(odd: Tensor, probes: Tensor, centres: bool, weight: Tensor | None) -> bool:
    kept = probes - probes.mean(1, keepdim=True) if centres else probes
    expected = kept / kept.square().mean(1, keepdim=True).sqrt()
    expected = expected if weight is None else expected * weight
    return bool((odd - expected).abs().max() <= _TOLERANCE * odd.abs().max())
