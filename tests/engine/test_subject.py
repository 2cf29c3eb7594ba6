"""The model is run as transformers runs it, and a folder that is none is refused."""

import json
import shutil
import time

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from featureviz.engine.errors import SubjectError
from featureviz.engine.subject import load_subject, model_name
from tests.engine.conftest import write_gpt2

TOKENS = torch.arange(3, 51).view(3, 16)


@pytest.fixture
def folder(tmp_path, model_folder):
    """A copy of the tiny model that a test may damage."""
    return shutil.copytree(model_folder, tmp_path / "copy")


@pytest.fixture
def stories(shared_data):
    return shared_data / "lm-stories260k"


def hidden_states(folder):
    """The residual stream before every block, and after the last but for its norm."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        return model(TOKENS, output_hidden_states=True).hidden_states


def test_the_residual_stream_of_a_real_model_equals_transformers(stories):
    states = hidden_states(stories)
    subject = load_subject(str(stories))
    for layer in range(5):
        before = subject.activations(TOKENS, f"blocks.{layer}.hook_resid_pre")
        torch.testing.assert_close(before, states[layer], atol=1e-5, rtol=1e-5)
    for layer in range(4):  # transformers norms the last one
        after = subject.activations(TOKENS, f"blocks.{layer}.hook_resid_post")
        torch.testing.assert_close(after, states[layer + 1], atol=1e-5, rtol=1e-5)


def test_the_residual_stream_of_a_gpt2_equals_transformers(model_folder):
    states = hidden_states(model_folder)
    subject = load_subject(str(model_folder))
    for layer in range(2):
        found = subject.activations(TOKENS, f"blocks.{layer}.hook_resid_pre")
        torch.testing.assert_close(found, states[layer], atol=1e-5, rtol=1e-5)


def test_stopping_at_the_hook_changes_nothing_of_what_it_saw(model_folder):
    subject = load_subject(str(model_folder))
    hook = "blocks.0.mlp.hook_post"
    with torch.inference_mode():
        _, cache = subject.bridge.run_with_cache(TOKENS)
    assert torch.equal(subject.activations(TOKENS, hook), cache[hook].flatten(2))


def test_later_layers_are_not_computed(model_folder):
    subject = load_subject(str(model_folder))
    ran = []
    block = subject.bridge.original_model.transformer.h[1]
    handle = block.register_forward_hook(lambda *_: ran.append(True))
    subject.activations(TOKENS, "blocks.0.hook_resid_post")
    assert not ran
    subject.activations(TOKENS, "blocks.1.hook_resid_post")
    handle.remove()
    subject.bridge(TOKENS)
    assert len(ran) <= 1


def test_heads_are_flattened(model_folder):
    subject = load_subject(str(model_folder))
    assert subject.activations(TOKENS, "blocks.0.attn.hook_z").shape == (3, 16, 32)


def test_a_model_is_described_by_its_folder(stories):
    facts = load_subject(str(stories)).facts
    assert (facts.name, facts.source) == ("lm-stories260k", str(stories))
    assert (facts.n_layers, facts.d_model, facts.d_vocab, facts.n_ctx) == (5, 64, 512, 512)


def test_an_unknown_hook_is_refused_with_those_like_it(model_folder):
    subject = load_subject(str(model_folder))
    with pytest.raises(SubjectError, match=r"no hook point 'blocks\.9\.hook_resid_pre'") as refusal:
        subject.check_hook("blocks.9.hook_resid_pre")
    assert "blocks.0.hook_resid_pre, blocks.1.hook_resid_pre" in str(refusal.value)
    assert "--hook" in str(refusal.value)
    with pytest.raises(SubjectError, match=r"it has .*hook"):
        subject.check_hook("nonsense")
    subject.check_hook("blocks.1.hook_resid_pre")


def test_every_hook_of_a_model_gives_positions_by_dimensions_or_is_refused(model_folder):
    subject = load_subject(str(model_folder))
    given = []
    for hook in subject.bridge.hook_dict:
        try:
            found = subject.activations(TOKENS, hook)
        except SubjectError as error:
            assert hook in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert found.shape[:2] == TOKENS.shape, hook
            given.append(hook)
    assert {"hook_embed", "blocks.1.hook_resid_pre", "blocks.1.mlp.hook_post"} <= set(given)
    assert not [hook for hook in given if hook.endswith(("hook_pattern", "hook_attn_scores"))]


def refused(folder, reason):
    with pytest.raises(SubjectError, match=reason) as refusal:
        load_subject(str(folder))
    assert str(folder) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_folder_without_configuration_is_refused(tmp_path):
    refused(tmp_path, r"no config\.json")


def test_a_folder_with_pickled_weights_only_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(folder, r"no \*\.safetensors .*safe_serialization=True")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, value):
    tensors = load_file(folder / "model.safetensors")
    name = "transformer.h.1.mlp.c_fc.weight"
    tensors[name][3, 5] = value
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    refused(folder, r"transformer\.h\.1\.mlp\.c_fc\.weight holds NaN or infinity")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_file_is_refused_in_one_line(folder, name):
    (folder / name).write_bytes(b"not what it was")
    refused(folder, "cannot load this model")


@pytest.mark.parametrize("name", ["llama-of-mine", "gemma-2"])
def test_a_folder_named_after_another_family_loads_as_what_it_is(tmp_path, byte_tokenizer, name):
    folder = write_gpt2(tmp_path / name, byte_tokenizer)
    subject = load_subject(str(folder))
    assert (subject.facts.name, subject.facts.architecture) == (name, "GPT2LMHeadModel")
    assert subject.activations(TOKENS, "blocks.0.hook_resid_pre").shape == (3, 16, 32)


@pytest.mark.parametrize(
    "name", ["no-such-model", "some-one/no-such-model", "/no/such/folder", "a b"]
)
def test_an_unknown_name_is_refused_at_once_without_asking_the_network(name):
    start = time.monotonic()
    with pytest.raises(SubjectError, match="no such folder, and no model of that name") as refusal:
        load_subject(name)
    assert name in str(refusal.value)
    assert time.monotonic() - start < 30  # waiting for a network takes minutes


def test_weights_saved_again_in_the_same_folder_are_read_again(folder):
    before = load_subject(str(folder))
    assert load_subject(str(folder)) is before
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.wte.weight"].zero_()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    after = load_subject(str(folder))
    assert after.facts.digest != before.facts.digest
    assert not after.activations(TOKENS, "hook_embed").any()


def test_the_tokenizer_is_the_folders_own_without_tokens_added(folder):
    for name in ("tokenizer_config.json", "tokenizer.json"):
        content = json.loads((folder / name).read_text())
        content.pop("bos_token", None)
        content["added_tokens"] = []
        (folder / name).write_text(json.dumps(content))
    tokenizer = load_subject(str(folder)).tokenizer
    assert len(tokenizer) == 290
    assert tokenizer.all_special_ids == []
    assert (tokenizer.bos_token_id, tokenizer.pad_token_id) == (None, None)


def test_a_name_is_the_last_part_of_a_path_or_of_a_hub_name(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    assert model_name(str(tmp_path / "mine")) == "mine"
    assert model_name("EleutherAI/pythia-70m") == "pythia-70m"
    monkeypatch.chdir(tmp_path / "mine")
    assert model_name(".") == "mine"
