"""Signed dictionaries and the neuron basis, read from their folders."""

import json

import pytest
import torch
from safetensors.torch import save_file

from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.errors import DictionaryError
from tests.engine.conftest import write_folder

D_IN, N = 6, 4


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(3)
    shapes = {"W_enc": (D_IN, N), "W_dec": (N, D_IN), "b_dec": (D_IN,)}
    return {name: torch.randn(*shape, generator=generator) for name, shape in shapes.items()}


def linear(folder, tensors, architecture="pca"):
    write_folder(folder, tensors, architecture=architecture, d_in=D_IN, d_sae=N)
    return load_dictionary(str(folder))


@pytest.mark.parametrize("architecture", ["pca", "ica", "random"])
def test_a_signed_latent_has_two_ends_that_are_exactly_opposite(tmp_path, tensors, architecture):
    dictionary = linear(tmp_path / "d", tensors, architecture)
    facts = dictionary.facts
    assert (facts.ends, facts.d_sae, facts.n_latents, facts.dense) == (2, 2 * N, N, True)
    x = torch.randn(50, D_IN)
    values = dictionary.codes(x).values
    assert torch.equal(values[:, ::2], -values[:, 1::2])
    expected = (x.double() - tensors["b_dec"]) @ tensors["W_enc"].double()
    assert values[:, ::2].numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_both_ends_together_reconstruct_as_the_signed_code_does(tmp_path, tensors):
    dictionary = linear(tmp_path / "d", tensors)
    x = torch.randn(50, D_IN)
    code = (x - tensors["b_dec"]) @ tensors["W_enc"]
    expected = code @ tensors["W_dec"] + tensors["b_dec"]
    found = dictionary.codes(x).dense() @ dictionary.W_dec + dictionary.b_dec
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_pre_activations_are_the_codes(tmp_path, tensors):
    dictionary = linear(tmp_path / "d", tensors)
    x = torch.randn(50, D_IN)
    found, expected = dictionary.pre_activations(x), dictionary.codes(x).values
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def neurons(folder, signed, d_sae=D_IN):
    (folder).mkdir()
    cfg = {"architecture": "neurons", "d_in": D_IN, "d_sae": d_sae, "signed": signed}
    (folder / "cfg.json").write_text(json.dumps(cfg | {"metadata": {"hook_name": "h"}}))
    save_file({"b_dec": torch.zeros(D_IN)}, folder / "sae_weights.safetensors")
    return load_dictionary(str(folder))


def test_neurons_are_the_coordinates_themselves(tmp_path):
    dictionary = neurons(tmp_path / "d", signed=False)
    x = torch.randn(50, D_IN)
    assert (dictionary.facts.ends, dictionary.facts.d_sae) == (1, D_IN)
    assert torch.equal(dictionary.codes(x).values, x)
    assert torch.equal(dictionary.W_dec, torch.eye(D_IN))


def test_signed_neurons_have_two_ends_and_reconstruct_exactly(tmp_path):
    dictionary = neurons(tmp_path / "d", signed=True)
    x = torch.randn(50, D_IN)
    assert (dictionary.facts.ends, dictionary.facts.d_sae) == (2, 2 * D_IN)
    assert torch.equal(dictionary.codes(x).dense() @ dictionary.W_dec, x)
    assert torch.equal(dictionary.pre_activations(x), dictionary.codes(x).values)


def test_neurons_are_as_many_as_dimensions(tmp_path):
    with pytest.raises(DictionaryError, match="6 dimensions has as many neurons"):
        neurons(tmp_path / "d", signed=True, d_sae=5)
