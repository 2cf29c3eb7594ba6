"""A folder that is no dictionary is refused in one line: what, where, how to mend."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.errors import DictionaryError
from tests.engine.conftest import HOOK, write_folder, write_standard

CFG, WEIGHTS = "cfg.json", "sae_weights.safetensors"


@pytest.fixture
def folder(tmp_path):
    return write_standard(tmp_path / "dictionary", d_in=4, d_sae=8)


def refused(folder, *parts, hook=None):
    """Assert that a folder is refused in one line that holds all these parts."""
    with pytest.raises(DictionaryError) as refusal:
        load_dictionary(str(folder), hook)
    message = str(refusal.value)
    for part in (str(folder), *parts):
        assert part in message
    assert "\n" not in message


def change_cfg(folder, **changes):
    cfg = json.loads((folder / CFG).read_text())
    (folder / CFG).write_text(json.dumps(cfg | changes))


def change_tensors(folder, **changes):
    tensors = load_file(folder / WEIGHTS)
    kept = {name: tensor for name, tensor in (tensors | changes).items() if tensor is not None}
    save_file(kept, folder / WEIGHTS)


def test_a_sound_folder_is_described_by_its_configuration(folder):
    facts = load_dictionary(str(folder)).facts
    assert (facts.name, facts.source, facts.architecture) == (
        "dictionary",
        str(folder),
        "standard",
    )
    assert (facts.hook, facts.d_in, facts.d_sae, facts.context_size) == (HOOK, 4, 8, 16)


def test_a_hook_given_wins_over_the_folders_own(folder):
    assert load_dictionary(str(folder), "blocks.0.hook_resid_post").facts.hook == (
        "blocks.0.hook_resid_post"
    )


def test_the_digest_tells_weights_and_configurations_apart_but_not_places(folder, tmp_path):
    def digest(path):
        return load_dictionary(str(path)).facts.digest

    before = digest(folder)
    assert digest(write_standard(tmp_path / "elsewhere", d_in=4, d_sae=8)) == before
    change_cfg(folder, apply_b_dec_to_input=False)
    with_other_cfg = digest(folder)
    change_tensors(folder, b_dec=torch.ones(4))
    assert len({before, with_other_cfg, digest(folder)}) == 3


def test_weights_saved_again_in_the_same_folder_are_read_again(folder):
    before = load_dictionary(str(folder)).facts.digest
    change_tensors(folder, b_dec=torch.full((4,), 0.5))
    again = load_dictionary(str(folder))
    assert again.facts.digest != before
    assert again.b_dec.tolist() == [0.5] * 4


def test_a_missing_folder_is_refused(tmp_path):
    refused(tmp_path / "nowhere", "no such folder", CFG)


def test_a_folder_without_configuration_is_refused(folder):
    (folder / CFG).unlink()
    refused(folder, f"no {CFG}")


@pytest.mark.parametrize("name", ["sae_weights.pt", "ae.pth", "pytorch_model.bin", "sae.pkl"])
def test_a_pickle_is_named_and_never_opened(folder, name):
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    refused(folder, f"no {WEIGHTS}", f"A pickle such as {name} is never opened")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("the pickle was opened",)


def test_a_pickle_renamed_to_safetensors_is_not_opened_either(folder):
    (folder / WEIGHTS).write_bytes(pickle.dumps(Bomb()))
    refused(folder, WEIGHTS, "not a safetensors file")


@pytest.mark.parametrize("keep", [0, 7, 60, -1])
def test_a_file_cut_short_is_refused(folder, keep):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:keep])
    refused(folder, WEIGHTS, "not a safetensors file")


@pytest.mark.parametrize("name", ["W_enc", "b_enc", "W_dec", "b_dec"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, name, value):
    tensor = load_file(folder / WEIGHTS)[name]
    tensor.view(-1)[-1] = value
    change_tensors(folder, **{name: tensor})
    refused(folder, WEIGHTS, f"{name} holds NaN or infinity")


def test_a_transposed_decoder_is_recognised(folder):
    change_tensors(folder, W_dec=load_file(folder / WEIGHTS)["W_dec"].T.contiguous())
    refused(folder, "W_dec is [4, 8]", "cfg.json says [8, 4]", "It looks transposed")


def test_weights_that_disagree_with_the_configuration_are_refused(folder):
    change_cfg(folder, d_in=5)
    refused(folder, "W_enc is [4, 8]", "cfg.json says [5, 8]")


def test_a_missing_tensor_is_named_with_those_there_are(folder):
    change_tensors(folder, b_enc=None)
    refused(folder, "no tensor b_enc", "W_dec, W_enc, b_dec")


@pytest.mark.parametrize(
    ("architecture", "needs"), [("jumprelu", "threshold"), ("gated", "b_gate")]
)
def test_an_architecture_without_its_own_tensors_is_refused(folder, architecture, needs):
    change_cfg(folder, architecture=architecture)
    refused(folder, f"no tensor {needs}, which {architecture} needs")


def test_an_unknown_architecture_is_refused_with_the_known_ones(folder):
    change_cfg(folder, architecture="crosscoder")
    refused(folder, CFG, "'crosscoder'", "standard, topk, jumprelu, gated, batchtopk")


@pytest.mark.parametrize(
    "scaling", ["expected_average_only_in", "layer_norm", "constant_norm_rescale"]
)
def test_normalised_inputs_are_refused_with_the_way_to_fold_them(folder, scaling):
    change_cfg(folder, normalize_activations=scaling)
    refused(folder, CFG, scaling, "Fold the scale into the weights")


@pytest.mark.parametrize("scaling", ["none", None])
def test_inputs_that_are_not_normalised_are_read(folder, scaling):
    change_cfg(folder, normalize_activations=scaling)
    assert load_dictionary(str(folder)).facts.d_sae == 8


@pytest.mark.parametrize("k", [0, -1, 9, None, "3", 2.5])
def test_a_k_out_of_range_is_refused_with_the_range(folder, k):
    change_cfg(folder, architecture="topk", k=k)
    refused(folder, CFG, f"k is {k!r}; expected 1 to 8")


@pytest.mark.parametrize("d_sae", [0, -8, None, "8"])
def test_a_size_that_is_none_is_refused(folder, d_sae):
    change_cfg(folder, d_sae=d_sae)
    refused(folder, CFG, f"d_sae is {d_sae!r}; expected a size")


@pytest.mark.parametrize("context_size", ["16", 0, -1, 1, 2.5])
def test_a_context_size_that_is_none_is_refused(folder, context_size):
    metadata = {"hook_name": HOOK, "context_size": context_size}
    change_cfg(folder, metadata=metadata)
    refused(folder, CFG, f"context_size is {context_size!r}")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"5", b"null", b"\xff\xfe{}"])
def test_a_configuration_that_is_no_object_is_refused(folder, content):
    (folder / CFG).write_bytes(content)
    refused(folder, CFG, "not a JSON object")


def test_a_dictionary_without_a_hook_asks_for_one_and_takes_it(folder):
    change_cfg(folder, metadata={"sae_lens_version": "6.54.12"})
    refused(folder, "names no hook point", "--hook")
    assert load_dictionary(str(folder), HOOK).facts.hook == HOOK


def test_a_finetuning_scale_is_refused(folder):
    change_cfg(folder, finetuning_scaling_factor=True)
    refused(folder, "finetuning_scaling_factor is set")


def test_what_came_before_version_6_with_another_nonlinearity_is_refused(tmp_path, folder):
    tensors = load_file(folder / WEIGHTS)
    (tmp_path / "old").mkdir()
    old = write_folder(tmp_path / "old", tensors)
    flat = {"hook_name": HOOK, "d_in": 4, "d_sae": 8, "activation_fn_str": "tanh-relu"}
    (old / CFG).write_text(json.dumps(flat))
    refused(old, CFG, "tanh-relu")
