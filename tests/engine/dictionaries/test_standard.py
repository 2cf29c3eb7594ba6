"""ReLU dictionaries."""

import json

import pytest
from safetensors.torch import load_file

from featureviz.engine.dictionaries.load import load_dictionary
from tests.engine.conftest import write_folder
from tests.engine.dictionaries.saelens import HOOK, assert_same_as_saelens, save, toy, worked


@pytest.mark.parametrize("apply_b_dec_to_input", [True, False])
def test_it_computes_what_saelens_computes(tmp_path, apply_b_dec_to_input):
    assert_same_as_saelens(save("standard", tmp_path, apply_b_dec_to_input=apply_b_dec_to_input))


def test_the_worked_case_of_the_methods_comes_out(tmp_path):
    codes, rebuilt = worked(toy(tmp_path, write_folder, architecture="standard"))
    assert codes == [3, 4, 5]
    assert rebuilt == [6, 8]


def test_the_flat_configuration_before_version_6_is_read_the_same(tmp_path):
    folder = save("standard", tmp_path)
    cfg = json.loads((folder / "cfg.json").read_text())
    flat = {"hook_point": HOOK, "d_in": cfg["d_in"], "d_sae": cfg["d_sae"], "context_size": 99}
    flat |= {"activation_fn_str": "relu", "normalize_activations": "none", "dtype": "float32"}
    (folder / "cfg.json").write_text(json.dumps(flat))
    facts = load_dictionary(str(folder)).facts
    assert (facts.architecture, facts.hook, facts.context_size) == ("standard", HOOK, 99)
    assert_same_as_saelens(folder)


def test_half_precision_weights_are_read_as_float32(tmp_path):
    folder = save("standard", tmp_path)
    tensors = load_file(folder / "sae_weights.safetensors")
    cfg = json.loads((folder / "cfg.json").read_text())
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    write_folder(tmp_path / "half", halves, **cfg)
    dictionary = load_dictionary(str(tmp_path / "half"))
    assert dictionary.W_enc.dtype == dictionary.b_dec.dtype == dictionary.W_dec.dtype
    assert dictionary.W_enc.equal(tensors["W_enc"].half().float())
