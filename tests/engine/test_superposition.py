"""What was planted in a model is what the precompute finds.

A toy model of superposition becomes a language model: token t is a drawn feature vector x, its
embedding the toy's h = W x; the dictionary reads the features out as the toy does. So the truth
about every latent is known before the engine is asked.
"""

import json
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.store import read_dashboard
from featureviz.engine.precompute import Bench, Request, block_path, prepare
from tests.engine.conftest import write_folder, write_gpt2
from tests.oracles import superposition
from tests.oracles.superposition import N_DIMENSIONS, N_FEATURES, draw

N_TOKENS, CONTEXT, D_MODEL = 400, 16, 8
HOOK = "blocks.0.hook_resid_pre"
SPARSITIES = [0.7, 0.9, 0.97]

trained = cache(superposition.train)


def word_tokenizer():
    """Words t0 t1 …, one token each, and no start token."""
    words = {f"t{number}": number for number in range(N_TOKENS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="t0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def precompute(toy, x, folder):
    """Run the real engine on a toy: dashboards, and the feature vector at every position."""
    n_features = toy.W.shape[1]
    shape = {"vocab_size": N_TOKENS, "n_embd": D_MODEL, "n_layer": 1, "n_head": 1}
    model = write_gpt2(folder / "model", word_tokenizer(), **shape)
    weights = load_file(model / "model.safetensors")
    weights["transformer.wte.weight"].zero_()[:, :N_DIMENSIONS] = toy.hidden(x)
    weights["transformer.wpe.weight"].zero_()
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    W_dec = torch.zeros(n_features, D_MODEL)
    W_dec[:, :N_DIMENSIONS] = toy.W.T
    tensors = {"W_enc": W_dec.T.contiguous(), "b_enc": toy.b, "W_dec": W_dec}
    tensors["b_dec"] = torch.zeros(D_MODEL)
    dictionary = write_folder(
        folder / "dictionary", tensors, hook=HOOK, d_in=D_MODEL, d_sae=n_features
    )
    written = np.random.default_rng(0).integers(0, N_TOKENS, (150, 3 * CONTEXT // 2))
    lines = [json.dumps({"text": " ".join(f"t{t}" for t in line)}) for line in written]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    request = Request(str(model), str(dictionary), folder / "corpus.jsonl", context_size=CONTEXT)
    store = folder / "store"
    plan = prepare(request, store).plan
    bench = Bench(plan, store)
    for number in range(plan.n_shards):
        bench.shard(number)
    bench.block(0)
    pack = block_path(store / "runs" / plan.key, 0)
    corpus = StoredCorpus(store / "corpora" / plan.corpus_digest)
    assert np.array_equal(np.sort(corpus.tokens[corpus.counted]), np.sort(written.ravel()))
    tokens = np.where(corpus.counted, corpus.tokens, -1)
    return [read_dashboard(pack, latent) for latent in range(n_features)], tokens


@pytest.fixture(scope="module", params=SPARSITIES, ids=lambda sparsity: f"sparsity {sparsity}")
def planted(request, tmp_path_factory):
    toy = trained(request.param)
    x = draw(N_TOKENS, request.param, seed=77)
    found, tokens = precompute(toy, x, tmp_path_factory.mktemp("toy"))
    return toy, x, found, tokens


def test_the_sparser_its_features_the_more_of_them_the_toy_represents():
    counts = [len(trained(sparsity).represented) for sparsity in SPARSITIES]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert counts[-1] > N_DIMENSIONS  # superposition


def test_a_latent_is_counted_active_where_the_toy_reads_its_feature(planted):
    toy, x, found, tokens = planted
    readout = toy.readout(x)
    # Where rounding could turn a silent place into an active one there is nothing to compare.
    unsure = (toy.hidden(x) @ toy.W + toy.b).abs() < 1e-6
    assert not unsure.any()
    placed = tokens[tokens >= 0]
    for one in found:
        assert one.n_active == int((readout[placed, one.index] > 0).sum())
        assert one.n_tokens == len(placed)


def test_maxima_and_means_are_the_toys_own(planted):
    toy, x, found, tokens = planted
    read = toy.readout(x)[tokens[tokens >= 0]]
    for one in found:
        assert one.max_activation == pytest.approx(float(read[:, one.index].max()), abs=1e-5)
        total = float(read[:, one.index].double().sum())
        assert one.sum_activation == pytest.approx(total, rel=1e-5, abs=1e-6)


def test_the_strongest_tokens_of_a_represented_feature_hold_that_feature(planted):
    toy, x, found, tokens = planted
    assert toy.represented
    for feature in toy.represented:
        strongest = found[feature].top[:5]
        assert len(strongest) == 5
        for example in strongest:
            assert x[tokens[example.context, example.position], feature] > 0


def test_every_activation_shown_is_the_toys_readout_of_the_token_there(planted):
    toy, x, found, tokens = planted
    readout = toy.readout(x)
    shown = 0
    for one in found:
        groups = [one.top, *(interval.examples for interval in one.intervals), one.random]
        for example in (example for group in groups for example in group):
            there = readout[tokens[example.context, list(example.positions)], one.index]
            assert list(example.activations) == pytest.approx(there.tolist(), abs=1e-5)
            shown += 1
    assert shown > 10 * len(toy.represented)


def test_features_it_dropped_leave_a_latent_without_direction(planted):
    toy, _, found, _ = planted
    norms = toy.W.norm(dim=0).tolist()
    assert len(found) == N_FEATURES
    assert [one.decoder_norm for one in found] == pytest.approx(norms, abs=1e-6)


def test_planted_orthogonal_features_are_recovered_exactly(tmp_path):
    toy = superposition.orthogonal()
    x = draw(N_TOKENS, 0.8, seed=5, n_features=N_DIMENSIONS)
    found, tokens = precompute(toy, x, tmp_path)
    for one in found:
        planted_there = x[:, one.index].numpy()
        everywhere = np.where(tokens >= 0, planted_there[tokens], 0)
        assert one.n_active == np.count_nonzero(everywhere) > 0
        assert one.max_activation == everywhere.max()
        assert one.sum_activation == pytest.approx(everywhere.sum(dtype=np.float64), rel=1e-12)
        best = np.sort(everywhere.max(axis=1))[::-1][:20]
        assert [example.activation for example in one.top] == best.tolist()
        for example in one.top:
            row = everywhere[example.context]
            assert list(example.positions) == np.flatnonzero(row).tolist()
            assert list(example.activations) == row[row > 0].tolist()
        counts = {entry.token: entry.n_active for entry in one.fires_on}
        assert all(planted_there[token] > 0 for token in counts)
        assert all(count == (tokens == token).sum() for token, count in counts.items())
