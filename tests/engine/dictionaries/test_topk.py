"""TopK dictionaries."""

import json

import pytest
import torch
from safetensors.torch import load_file

from featureviz.engine.dictionaries.load import load_dictionary
from tests.engine.conftest import write_folder
from tests.engine.dictionaries.saelens import (
    D_SAE,
    HOOK,
    assert_same_as_saelens,
    points,
    save,
    toy,
    worked,
)


@pytest.mark.parametrize("k", [1, 5, D_SAE])
@pytest.mark.parametrize("rescale", [True, False])
def test_it_computes_what_saelens_computes_whatever_the_decoder_norms(tmp_path, k, rescale):
    folder = save("topk", tmp_path, k=k, rescale_acts_by_decoder_norm=rescale)
    norms = load_file(folder / "sae_weights.safetensors")["W_dec"].norm(dim=1)
    assert norms.max() > 2 * norms.min()
    assert_same_as_saelens(folder)


def test_rescaling_changes_which_latents_are_kept(tmp_path):
    """So the comparison above tells the two readings apart."""
    kept = []
    for rescale in (True, False):
        folder = tmp_path / str(rescale)
        save("topk", folder, k=3, rescale_acts_by_decoder_norm=rescale)
        kept.append(load_dictionary(str(folder)).codes(points()).dense() > 0)
    assert not torch.equal(*kept)


def test_folded_decoder_rows_have_length_one(tmp_path):
    folder = save("topk", tmp_path, k=3, rescale_acts_by_decoder_norm=True)
    norms = load_dictionary(str(folder)).W_dec.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(D_SAE))


def test_the_flat_configuration_before_version_6_is_read_the_same(tmp_path):
    folder = save("topk", tmp_path, k=4, rescale_acts_by_decoder_norm=False)
    cfg = json.loads((folder / "cfg.json").read_text())
    flat = {"hook_name": HOOK, "d_in": cfg["d_in"], "d_sae": cfg["d_sae"], "dtype": "float32"}
    flat |= {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4}}
    (folder / "cfg.json").write_text(json.dumps(flat))
    assert load_dictionary(str(folder)).facts.architecture == "topk"
    assert_same_as_saelens(folder)


def test_the_worked_case_of_the_methods_comes_out(tmp_path):
    codes, rebuilt = worked(toy(tmp_path, write_folder, architecture="topk", k=1))
    assert codes == [0, 0, 5]
    assert rebuilt == [3, 4]


def test_fewer_than_k_are_active_where_fewer_are_positive(tmp_path):
    dictionary = toy(tmp_path, write_folder, architecture="topk", k=3)
    codes = dictionary.codes(torch.tensor([[2.0, -9.0], [-1.0, -1.0]])).dense()
    assert codes.tolist() == [[2, 0, 0], [0, 0, 0]]
