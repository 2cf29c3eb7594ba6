"""An attention layer's latents are split by the tokens they came from."""

import math

import numpy as np
import pytest
import torch
from msgspec.structs import replace as changed
from transformers import AutoModelForCausalLM

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.engine import attention
from featureviz.engine.attention import contributions
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.precompute import prepare
from featureviz.engine.subject import Attention, load_subject
from tests.engine.conftest import write_standard
from tests.engine.test_precompute import dashboards, files_of, run, work

Z = "blocks.1.attn.hook_z"


@pytest.fixture
def on_z(request_of, tmp_path):
    """A request about a dictionary on the second layer's z."""
    folder = write_standard(tmp_path / "dictionary")
    return request_of(dictionary=str(folder), hook=Z, context_size=16)


def by_hand(folder, tokens, position, encoder):
    """Every source's part of z · encoder at a position: plain transformers, loops in float64."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    block = model.transformer.h[1]
    with torch.inference_mode():
        states = model(tokens[None], output_hidden_states=True).hidden_states[1]
        queries, keys, values = block.attn.c_attn(block.ln_1(states))[0].double().split(32, dim=1)
    found = np.zeros(len(tokens))
    for head in range(4):
        own = slice(8 * head, 8 * head + 8)
        scores = [
            float(queries[position, own] @ keys[source, own]) / math.sqrt(8)
            for source in range(position + 1)
        ]
        weights = [math.exp(score) for score in scores]
        for source, weight in enumerate(weights):
            value = float(values[source, own] @ encoder[own].double())
            found[source] += weight / sum(weights) * value
    return found


def test_the_sources_of_every_latent_are_those_of_brute_force(on_z, tmp_path):
    plan = prepare(on_z, tmp_path / "store").plan
    work(plan, tmp_path / "store")
    corpus = StoredCorpus(tmp_path / "store" / "corpora" / plan.corpus_digest)
    dictionary = load_dictionary(on_z.dictionary, Z)
    checked = 0
    for one in dashboards(plan, tmp_path / "store")[4:60:7]:
        for example in one.top[:3]:
            tokens = torch.from_numpy(corpus.tokens[example.context].astype(np.int64))
            encoder = dictionary.W_enc[:, one.index]
            expected = by_hand(on_z.model, tokens, example.position, encoder)
            best = sorted(expected, key=abs, reverse=True)[: len(example.sources)]
            assert len(example.sources) == min(5, example.position + 1)
            assert [row.contribution for row in example.sources] == pytest.approx(best, abs=1e-5)
            for row in example.sources:
                assert row.position <= example.position
                assert row.contribution == pytest.approx(expected[row.position], abs=1e-5)
            checked += 1
    assert checked >= 9


def split(folder, layer, n_latents=3):
    """A model's attention on some tokens, with random encoders [d_in, n_latents]."""
    subject = load_subject(str(folder))
    tokens = torch.arange(5, 29).view(2, 12)
    found = subject.attention(tokens, f"blocks.{layer}.attn.hook_z")
    generator = torch.Generator().manual_seed(0)
    return subject, tokens, found, torch.randn(found.z.shape[-1], n_latents, generator=generator)


@pytest.mark.parametrize("real", [False, True])
def test_all_sources_together_make_the_pre_activation_but_for_the_bias(real, model_folder, request):
    folder = request.getfixturevalue("shared_data") / "lm-stories260k" if real else model_folder
    subject, tokens, found, encoders = split(folder, 1)
    z = subject.activations(tokens, Z)
    for row, position in ((0, 0), (0, 7), (1, 11)):
        for encoder in encoders.T:
            terms = contributions(found, row, position, encoder)
            assert float(terms.sum()) == pytest.approx(float(z[row, position] @ encoder), abs=1e-4)


def test_what_comes_later_contributes_exactly_nothing(model_folder):
    _, _, found, encoders = split(model_folder, 1)
    assert not contributions(found, 1, 4, encoders[:, 0])[5:].any()


def test_only_the_strongest_contexts_are_split_and_every_one_of_them(on_z, tmp_path):
    for one in run(on_z, tmp_path):
        assert all(example.sources for example in one.top)
        others = [*one.random, *one.silent, *(c for i in one.intervals for c in i.examples)]
        assert {example.sources for example in others} <= {None}


def test_the_batch_a_context_is_in_changes_nothing(on_z, tmp_path):
    plan = prepare(on_z, tmp_path).plan
    work(plan, tmp_path)
    subject, dictionary = load_subject(on_z.model), load_dictionary(on_z.dictionary, Z)
    corpus = StoredCorpus(tmp_path / "corpora" / plan.corpus_digest)
    found = dashboards(plan, tmp_path)
    bare = [
        changed(one, top=tuple(changed(example, sources=None) for example in one.top))
        for one in found
    ]
    alone = attention.with_sources(bare[20:21], subject, dictionary, corpus, plan.batch_size)
    assert alone == found[20:21]


def test_a_run_at_z_writes_the_same_bytes_again(on_z, tmp_path):
    for store in ("a", "b"):
        run(on_z, tmp_path / store)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_elsewhere_nothing_is_split(request_of, tmp_path):
    for one in run(request_of(max_contexts=3), tmp_path):
        assert {example.sources for example in one.top} <= {None}


def test_attention_of_another_kind_is_left_alone(on_z, tmp_path, monkeypatch):
    """As where patterns are not what the values are weighted with."""
    real = type(load_subject(on_z.model)).attention

    def odd(self, tokens, hook):
        found = real(self, tokens, hook)
        return Attention(found.pattern**2, found.values, found.z)

    monkeypatch.setattr(type(load_subject(on_z.model)), "attention", odd)
    for one in run(on_z, tmp_path):
        assert {example.sources for example in one.top} <= {None}
