"""What is shipped: figures on record meet the demo's promises, and the files are what they say."""

import json

import pytest
import torch
from safetensors import safe_open

from featureviz.demo.dictionary import load_dictionary
from featureviz.demo.measure import CLASSES
from featureviz.demo.recipe import DICTIONARIES, MODELS, WEIGHTS
from featureviz.demo.texts import text_digest
from featureviz.demo.tokenizer import VOCABULARY, load_tokenizer

RECORD = json.loads((WEIGHTS / "record.json").read_text(encoding="utf-8"))
HERE = text_digest() == RECORD["corpus"]["held_out_text_sha256"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("part", ["code", "catalogues"])
def test_models_are_far_better_than_bigrams(name, part):
    bigram = RECORD["baselines"]["bigram"][part]
    assert bigram < RECORD["baselines"]["unigram"][part] - 1
    assert RECORD["models"][name]["loss"][part] <= bigram - 0.8


@pytest.mark.parametrize("name", MODELS)
def test_storing_models_in_float16_costs_nothing_that_shows(name):
    assert abs(RECORD["models"][name]["loss_added_by_float16"]) <= 0.005


@pytest.mark.parametrize("name", DICTIONARIES)
def test_dictionaries_are_healthy(name):
    figures = RECORD["dictionaries"][name]
    assert 400_000 <= figures["tokens"] <= 600_000
    assert 10 <= figures["l0"] <= 30
    assert figures["share_dead"] <= 0.05
    assert figures["loss_recovered_zero_ablation"] > 0.9
    assert figures["fvu"] + figures["explained_variance"] == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("name", ["arabic", "hebrew", "cyrillic", "han", "digit", "self"])
def test_a_latent_stands_for_a_class_of_tokens(name):
    chosen = RECORD["latents"][name]
    assert chosen["least_active"] == 100
    assert chosen["A-1"]["active"] >= chosen["least_active"]
    assert chosen["A-1"]["share"] >= 0.8


def test_every_class_has_its_latents_on_record():
    assert tuple(RECORD["latents"]) == CLASSES
    for chosen in RECORD["latents"].values():
        assert 0 <= chosen["A-1"]["index"] < DICTIONARIES["A-1"]
        assert 0 <= chosen["A-0"]["index"] < DICTIONARIES["A-0"]
        assert len(chosen["A-1_siblings"]) <= 10
        assert chosen["A-1"] not in chosen["A-1_siblings"]


def test_all_weights_are_safetensors_and_small():
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert sum(path.stat().st_size for path in files) <= 25e6


@pytest.mark.parametrize(
    "path", sorted(WEIGHTS.rglob("*.safetensors")), ids=lambda p: p.parent.name
)
def test_tensors_are_finite_and_in_float16(path):
    with safe_open(path, framework="pt") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118 - not a dict
    assert len(tensors) >= 4
    assert all(tensor.dtype == torch.float16 for tensor in tensors)
    assert all(tensor.isfinite().all() for tensor in tensors)


@pytest.mark.parametrize("name", DICTIONARIES)
def test_decoder_rows_have_norm_1(name):
    W_dec = load_dictionary(WEIGHTS / name).W_dec
    assert W_dec.shape == (DICTIONARIES[name], 512)
    assert torch.allclose(W_dec.norm(dim=1), torch.ones(len(W_dec)), atol=2e-3)


def test_both_models_share_one_tokenizer():
    one, other = (load_tokenizer(WEIGHTS / name) for name in MODELS)
    assert one.get_vocab() == other.get_vocab()
    assert len(one) == VOCABULARY
    assert (one.bos_token_id, one.pad_token_id) == (0, 0)
    text = "def f(self): return 'سلام שלום 你好'\n"
    assert one.decode(one(text).input_ids) == text


@pytest.mark.skipif(not HERE, reason="another Python or Django: the held-out text differs")
def test_the_text_on_record_is_the_text_of_this_installation():
    assert RECORD["corpus"]["tokens"] == RECORD["dictionaries"]["A-1"]["tokens"]
