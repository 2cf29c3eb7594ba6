"""A dictionary's health against numpy and the whole model."""

import msgspec
import numpy as np
import pytest
import torch

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.health import read_health
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.health import CONTEXTS, Gathered, Sums, log_densities, sums_of
from featureviz.engine.precompute import Bench, Request, prepare
from featureviz.engine.subject import load_subject


def test_fvu_is_that_of_the_methods_case():
    x = torch.tensor([[0.0, 0], [2, 0], [0, 2], [2, 2]])
    found = Gathered(sums_of(x, 0.5 * x + 0.5), x.double().mean(0).numpy(), np.zeros(1, np.int64))
    assert found.sums.error == pytest.approx(2)
    assert found.fvu == pytest.approx(0.25)


def test_sums_are_numpys():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 50, 8)).astype(np.float32)
    norms = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    found = sums_of(torch.from_numpy(x), torch.from_numpy(y))
    assert found.values() == pytest.approx(
        Sums(
            n=50,
            error=((x - y) ** 2).sum(),
            squares=(x**2).sum(),
            reconstructed=(y**2).sum(),
            product=(x * y).sum(),
            cosine=((x * y).sum(1) / norms[0] / norms[1]).sum(),
            ratio=(norms[1] / norms[0]).sum(),
        ).values(),
        rel=1e-5,
    )


def test_a_silent_position_has_no_direction():
    nothing = torch.zeros(1, 3)
    assert sums_of(nothing, torch.ones(1, 3)).cosine == 0
    assert sums_of(nothing, torch.ones(1, 3)).n == 1


def test_log_densities_fall_into_half_open_quarter_decades():
    counts = np.array([0, 1, 10, 100, 1000, 999])
    found = log_densities(counts, 1000)
    assert sum(found.counts) == 5  # the dead one has none
    bins = zip(found.edges[:-1], found.edges[1:], found.counts, strict=True)
    inside = [(low, high) for low, high, n in bins for _ in range(n)]
    for (low, high), count in zip(inside, sorted(counts[1:]), strict=True):
        assert low < np.log10(count / 1000) <= high


@pytest.fixture(scope="module")
def ran(model_folder, dictionary_folder, text_file, tmp_path_factory):
    """A run, in three shards, of the tiny model."""
    store = tmp_path_factory.mktemp("health")
    request = Request(
        model=str(model_folder),
        dictionary=str(dictionary_folder),
        corpus=text_file,
        context_size=16,
    )
    plan = prepare(request, store).plan
    plan = msgspec.structs.replace(plan, batch_size=8, shard_size=16)
    assert plan.n_shards > 2
    with Bench(plan, store) as bench:
        for number in range(plan.n_shards):
            bench.shard(number)
        for number in range(plan.n_blocks):
            bench.block(number)
    return plan, store, request


@pytest.fixture(scope="module")
def truth(ran):
    """Counted activations [n, d_in], latents [n, d_sae] and reconstructions, all at once."""
    plan, store, request = ran
    corpus = StoredCorpus(store / "corpora" / plan.corpus_digest)
    subject, dictionary = load_subject(request.model), load_dictionary(request.dictionary)
    tokens = torch.from_numpy(np.array(corpus.tokens, np.int64))
    x = subject.activations(tokens, plan.hook)[torch.from_numpy(corpus.counted.copy())]
    codes = dictionary.codes(x).dense()
    x_hat = codes @ dictionary.W_dec + dictionary.b_dec
    return tuple(part.double().numpy() for part in (x, codes, x_hat))


def test_every_sum_equals_numpys_over_counted_positions(ran, truth):
    plan, store, _ = ran
    found = read_health(store / "runs" / plan.key)
    x, codes, x_hat = truth
    norms = np.linalg.norm(x, axis=1), np.linalg.norm(x_hat, axis=1)
    spread = ((x - x.mean(0)) ** 2).sum()
    assert found.n_tokens == len(x)
    assert found.l0 == pytest.approx((codes > 0).sum() / len(x), rel=1e-4)
    assert found.l1 == pytest.approx(codes.sum() / len(x), rel=1e-5)
    assert found.fvu == pytest.approx(((x - x_hat) ** 2).sum() / spread, rel=1e-5)
    assert found.explained_variance == 1 - found.fvu
    assert found.cosine == pytest.approx(
        ((x * x_hat).sum(1) / norms[0] / norms[1]).mean(), rel=1e-5
    )
    assert found.norm_ratio == pytest.approx((norms[1] / norms[0]).mean(), rel=1e-5)
    assert found.reconstruction_bias == pytest.approx(
        (x_hat**2).sum() / (x * x_hat).sum(), rel=1e-5
    )


def test_latents_are_counted_by_how_often_they_fire(ran, truth):
    plan, store, _ = ran
    found = read_health(store / "runs" / plan.key)
    n_active = (truth[1] > 0).sum(0)
    assert found.d_sae == len(n_active) == 96
    assert found.n_dead == (n_active == 0).sum() >= 4
    assert found.n_ultralow == ((n_active > 0) & (n_active <= 10)).sum()
    assert found.n_above_hundredth == (n_active > len(truth[0]) / 100).sum()
    assert found.n_above_tenth == (n_active > len(truth[0]) / 10).sum()
    assert sum(found.log_densities.counts) == (n_active > 0).sum()
    assert found.share_dead == found.n_dead / 96
    assert found.decoder_norms.counts == ()  # all are one
    assert found.median_norm == pytest.approx(1)


def test_losses_are_those_of_the_plain_model_with_the_stream_replaced(ran, truth):
    plan, store, request = ran
    found = read_health(store / "runs" / plan.key).losses
    corpus = StoredCorpus(store / "corpora" / plan.corpus_digest)
    subject, dictionary = load_subject(request.model), load_dictionary(request.dictionary)
    n = min(CONTEXTS, len(corpus.tokens))
    assert found.n_contexts == n
    rows = [number * len(corpus.tokens) // n for number in range(n)]
    mean = torch.from_numpy(truth[0].mean(0)).float()
    ways = {
        "clean": lambda x: x,
        "spliced": lambda x: dictionary.codes(x).dense() @ dictionary.W_dec + dictionary.b_dec,
        "zero": lambda x: 0 * x,
        "mean": mean.expand_as,
    }
    sums = dict.fromkeys(ways, 0.0)
    divergences = dict.fromkeys(ways, 0.0)
    n_tokens = 0
    for row in rows:  # by a hook of plain PyTorch: the second layer's input is replaced
        tokens = torch.from_numpy(corpus.tokens[row].astype(np.int64))[None]
        keep = torch.from_numpy(corpus.counted[row].copy())
        where = [at for at in range(15) if keep[at + 1]]
        n_tokens += len(where)
        clean = plain_log_probs(subject, tokens, keep, ways["clean"])[where]
        for name, way in ways.items():
            log_probs = plain_log_probs(subject, tokens, keep, way)[where]
            targets = tokens[0, [at + 1 for at in where]]
            sums[name] -= log_probs[range(len(where)), targets].sum().item()
            divergences[name] += (clean.exp() * (clean - log_probs)).sum().item()
    assert found.n_tokens == n_tokens
    for name in ways:
        assert getattr(found, name) == pytest.approx(sums[name] / n_tokens, abs=1e-4)
        if name != "clean":
            assert getattr(found, f"kl_{name}") == pytest.approx(
                divergences[name] / n_tokens, abs=1e-4
            )


@torch.inference_mode()
def plain_log_probs(subject, tokens, keep, way):
    def replace(module, arguments):
        stream = arguments[0].clone()
        stream[0, keep] = way(stream[0, keep])
        return (stream, *arguments[1:])

    handle = subject.plain.transformer.h[1].register_forward_pre_hook(replace)
    try:
        return subject.plain(tokens).logits[0].double().log_softmax(-1)
    finally:
        handle.remove()


def test_the_health_done_again_is_the_same_bytes(ran):
    plan, store, _ = ran
    path = store / "runs" / plan.key / "health.json"
    before = path.read_bytes()
    path.unlink()
    with Bench(plan, store) as bench:
        bench.block(0)
    assert path.read_bytes() == before
