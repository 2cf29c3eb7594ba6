"""JumpReLU dictionaries, and BatchTopK ones, which are JumpReLUs once trained."""

import json

import pytest
import torch
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from safetensors.torch import load_file

from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.errors import DictionaryError
from tests.engine.conftest import write_folder
from tests.engine.dictionaries.saelens import (
    D_IN,
    D_SAE,
    HOOK,
    assert_same_as_saelens,
    points,
    save,
    toy,
    worked,
)


@pytest.mark.parametrize("apply_b_dec_to_input", [True, False])
def test_it_computes_what_saelens_computes(tmp_path, apply_b_dec_to_input):
    assert_same_as_saelens(save("jumprelu", tmp_path, apply_b_dec_to_input=apply_b_dec_to_input))


def test_the_worked_case_of_the_methods_comes_out(tmp_path):
    threshold = torch.full((3,), 3.5)
    codes, rebuilt = worked(
        toy(tmp_path, write_folder, architecture="jumprelu", threshold=threshold)
    )
    assert codes == [0, 4, 5]
    assert rebuilt == [3, 8]


def test_a_value_at_its_threshold_is_silent(tmp_path):
    threshold = torch.tensor([3.0, 3.999, 5.001])
    dictionary = toy(tmp_path, write_folder, architecture="jumprelu", threshold=threshold)
    assert worked(dictionary)[0] == [0, 4, 0]


def test_a_negative_threshold_lets_no_negative_value_through(tmp_path):
    dictionary = toy(
        tmp_path, write_folder, architecture="jumprelu", threshold=torch.full((3,), -9.0)
    )
    assert dictionary.codes(torch.tensor([[-3.0, 2.0]])).dense()[0, 0] == 0


def trained_batchtopk(folder):
    cfg = BatchTopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=4)
    cfg.metadata.hook_name = HOOK
    sae = BatchTopKTrainingSAE(cfg)
    with torch.no_grad():
        sae.b_enc.normal_(generator=torch.Generator().manual_seed(0))
        sae.topk_threshold.fill_(0.05)
    sae.save_inference_model(folder)
    return folder


def test_batchtopk_as_saelens_saves_it_computes_what_saelens_computes(tmp_path):
    folder = trained_batchtopk(tmp_path)
    assert load_dictionary(str(folder)).facts.architecture == "jumprelu"
    assert_same_as_saelens(folder)


def test_batchtopk_under_its_own_name_is_read_as_jumprelu_with_its_threshold(tmp_path):
    folder = save("jumprelu", tmp_path / "as jumprelu")
    expected = load_dictionary(str(folder)).codes(points()).dense()
    tensors = load_file(folder / "sae_weights.safetensors")
    cfg = json.loads((folder / "cfg.json").read_text()) | {"architecture": "batchtopk", "k": 4}
    found = load_dictionary(str(write_folder(tmp_path / "named", tensors, **cfg)))
    assert torch.equal(found.codes(points()).dense(), expected)
    del tensors["threshold"]
    with pytest.raises(DictionaryError, match=r"'batchtopk'.*batchtopk \(with its threshold\)"):
        load_dictionary(str(write_folder(tmp_path / "without", tensors, **cfg)))
