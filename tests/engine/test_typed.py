"""Typed texts: the same numbers as the plain way, and refusals a reader can act on."""

import numpy as np
import pytest
import torch

from featureviz.dashboards.slices import read_slices
from featureviz.engine.errors import TextError
from featureviz.engine.precompute import Bench, Request, prepare, shard_path
from featureviz.engine.typed import typed
from tests.engine.conftest import HOOK, TEXT


@pytest.fixture
def bench(model_folder, dictionary_folder, tmp_path):
    return _bench(tmp_path, model_folder, dictionary_folder)


def _bench(tmp_path, model, dictionary, **changes):
    corpus = tmp_path / "text.txt"
    corpus.write_text(TEXT)
    request = Request(str(model), str(dictionary), corpus, context_size=16, **changes)
    store = tmp_path / "store"
    return Bench(prepare(request, store).plan, store)


def test_activations_are_those_of_the_model_and_the_dictionary_run_plainly(bench):
    found = typed(bench, "The cat sat on the hill.")
    tokens = torch.tensor([found.tokens.tolist()])
    x = bench.subject.activations(tokens, HOOK)[0]
    dictionary = bench.dictionary
    plain = torch.relu((x - dictionary.b_dec) @ dictionary.W_enc + dictionary.b_enc)
    assert found.tokens[0] == bench.subject.tokenizer.bos_token_id
    assert found.counted.tolist() == [False, *[True] * (len(found.tokens) - 1)]
    assert len(found.values) > 50
    for latent in range(96):
        expected = np.where(found.counted, plain[:, latent].numpy(), 0)
        np.testing.assert_allclose(found.of(latent), expected, atol=1e-5)


def test_a_text_of_the_corpus_has_the_activations_of_the_run(bench):
    bench.shard(0)
    opening = bench.subject.tokenizer.decode(bench.corpus.tokens[0, 1:].tolist())
    found = typed(bench, opening)
    assert found.tokens.tolist() == bench.corpus.tokens[0].tolist()
    for latent in range(96):
        slices = read_slices(shard_path(bench._folder, 0), latent, latent + 1)
        inside = slices.places < 16  # positions of the first context
        spooled = dict(
            zip(slices.places[inside].tolist(), slices.values[inside].tolist(), strict=True)
        )
        own = {at: value for at, value in enumerate(found.of(latent)) if value}
        assert own == pytest.approx(spooled, abs=1e-5)


def test_of_a_signed_dictionary_values_have_their_sign(model_folder, tmp_path):
    bench = _bench(tmp_path, model_folder, "neurons", hook=HOOK)
    found = typed(bench, "The cat")
    x = bench.subject.activations(torch.tensor([found.tokens.tolist()]), HOOK)[0]
    assert (found.values < 0).any()
    for neuron in range(32):
        expected = np.where(found.counted, x[:, neuron].numpy(), 0)
        np.testing.assert_allclose(found.of(neuron), expected, atol=1e-6)


def test_the_strongest_of_each_token_are_kept_whatever_their_sign(model_folder, tmp_path):
    found = typed(_bench(tmp_path, model_folder, "neurons", hook=HOOK), "The cat")
    kept = found.strongest(3)
    for position in np.flatnonzero(found.counted):
        sizes = sorted(np.abs(found.values[found.positions == position]), reverse=True)
        assert sorted(np.abs(kept.values[kept.positions == position]), reverse=True) == sizes[:3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no text to read"),
        ("cat " * 200, r"has \d+ tokens; .* reads 63 at once"),
        ("x" * 20_001, "20,001 characters"),
    ],
)
def test_what_the_model_cannot_read_is_refused_in_one_line(bench, text, words):
    with pytest.raises(TextError, match=words) as refused:
        typed(bench, text)
    assert "\n" not in str(refused.value)
