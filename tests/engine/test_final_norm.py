"""A final norm is known by what it does, whatever its class calls its weight."""

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from featureviz.engine.final_norm import final_norm
from featureviz.engine.subject import Subject

D = 12


def norm_of(module):
    facts = SimpleNamespace(d_model=D)
    model = SimpleNamespace(final_norm=module, facts=facts, device=torch.device("cpu"))
    return final_norm(cast("Subject", model))


def drawn(module):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(D, generator=generator))
    return module


@pytest.mark.parametrize(
    ("module", "centres"),
    [(nn.LayerNorm(D), True), (nn.RMSNorm(D, eps=1e-6), False), (LlamaRMSNorm(D), False)],
)
def test_layer_norms_centre_and_rms_norms_do_not(module, centres):
    found = norm_of(drawn(module))
    assert found.centres is centres
    assert torch.equal(found.weight, module.weight)


def test_a_weight_stored_as_its_distance_from_one_is_read_so():
    module = drawn(GemmaRMSNorm(D))
    found = norm_of(module)
    assert found.centres is False
    assert torch.equal(found.weight, 1 + module.weight)


def test_a_norm_without_weight_has_none():
    assert norm_of(nn.LayerNorm(D, elementwise_affine=False)).weight is None
    assert norm_of(nn.LayerNorm(D, elementwise_affine=False)).centres is True


def test_a_model_without_final_norm_lets_directions_through():
    found = norm_of(None)
    assert (found.centres, found.weight) == (False, None)


class Tanh(nn.Module):
    """What some models have instead; no linear map stands for it."""

    def forward(self, x):
        return torch.tanh(x / 50)


def test_what_is_no_norm_is_not_taken_for_one():
    assert norm_of(Tanh()) is None
