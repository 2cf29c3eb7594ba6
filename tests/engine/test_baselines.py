"""Neurons, PCA, ICA and random directions as dictionaries of a run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.slices import read_slices
from featureviz.dashboards.store import read_dashboard
from featureviz.engine import baselines
from featureviz.engine.ablation import THRESHOLD
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.errors import EngineError
from featureviz.engine.plan import SIZES, Plan, block_size, shard_size
from featureviz.engine.precompute import Bench, block_path, prepare, shard_path
from featureviz.engine.subject import load_subject
from tests.engine.conftest import HOOK, write_gpt2
from tests.engine.test_precompute import dashboards, files_of, smaller, work
from tests.oracles.dense import expected

POST = "blocks.0.mlp.hook_post"
SIGNED = ["neurons", "pca", "ica", "random"]


@pytest.fixture
def ask(request_of):
    """A request for a baseline of the tiny model."""

    def make(kind, **changes):
        return request_of(**{"dictionary": kind, "hook": HOOK, "context_size": 16} | changes)

    return make


@pytest.fixture(scope="module")
def relu_model(tmp_path_factory, byte_tokenizer):
    """The tiny model with a ReLU."""
    folder = tmp_path_factory.mktemp("models") / "rectified"
    return write_gpt2(folder, byte_tokenizer, activation_function="relu")


def at_hook(request, plan, store):
    """What flows through the hook everywhere in the stored corpus [n_contexts, n_ctx, d_in]."""
    corpus = StoredCorpus(store / "corpora" / plan.corpus_digest)
    tokens = torch.from_numpy(np.array(corpus.tokens, np.int64))
    return load_subject(request.model).activations(tokens, plan.hook).numpy(), corpus


def config_of(plan):
    return json.loads((Path(plan.sources.dictionary) / "cfg.json").read_text())


def check_end(end, activations, corpus, sign):
    truth = expected(
        sign * activations,
        corpus.counted,
        corpus.tokens,
        n_bins=SIZES.n_bins,
        n_intervals=SIZES.n_intervals,
        n_top=SIZES.n_top,
    )
    assert abs(end.n_active - truth.n_active) <= 1  # at 0 within rounding
    assert end.max_activation == pytest.approx(sign * truth.maximum, abs=1e-4)
    assert end.sum_activation == pytest.approx(sign * truth.total, rel=1e-4, abs=1e-3)
    shown = [sign * value for _, value in truth.top]
    assert [example.activation for example in end.top] == pytest.approx(shown, abs=1e-4)
    for example in end.top:
        row = activations[example.context, list(example.positions)]
        assert list(example.activations) == pytest.approx(row.tolist(), abs=1e-4)


@pytest.mark.parametrize("kind", SIGNED)
def test_both_ends_of_every_latent_equal_the_oracle_on_all_activations(ask, tmp_path, kind):
    request = ask(kind)
    plan = prepare(request, tmp_path).plan
    work(plan, tmp_path)
    found = dashboards_of(plan, tmp_path)
    x, corpus = at_hook(request, plan, tmp_path)
    tensors = load_dictionary(plan.sources.dictionary)
    filters, mean = tensors.W_enc[:, ::2].double().numpy(), tensors.b_dec.double().numpy()
    codes = (x.astype(np.float64) - mean) @ filters
    assert (plan.ends, plan.d_sae, len(found)) == (2, 64, 32)
    for latent, one in enumerate(found):
        assert one.index == latent
        check_end(one, codes[:, :, latent], corpus, 1)
        check_end(one.negative, codes[:, :, latent], corpus, -1)
        assert one.n_active + one.negative.n_active == corpus.counted.sum()


def dashboards_of(plan, store):
    """All dashboards of latents, ends merged."""
    pairs = [plan.block_latents(number) for number in range(plan.n_blocks)]
    assert all(ends.start % plan.ends == ends.stop % plan.ends == 0 for ends in pairs)
    return [
        read_dashboard(block_path(store / "runs" / plan.key, number), latent)
        for number, ends in enumerate(pairs)
        for latent in range(ends.start // plan.ends, ends.stop // plan.ends)
    ]


def test_after_a_relu_neurons_are_unsigned_and_are_the_models_hook_values(
    ask, relu_model, tmp_path
):
    request = ask("neurons", model=str(relu_model), hook=POST)
    plan = prepare(request, tmp_path).plan
    work(plan, tmp_path)
    x, corpus = at_hook(request, plan, tmp_path)
    assert (plan.ends, plan.d_sae) == (1, 128)
    slices = read_slices(shard_path(tmp_path / "runs" / plan.key, 0), 0, 128)
    spooled = np.zeros((corpus.counted.size, 128), np.float32)
    neurons = np.repeat(np.arange(128), np.diff(slices.starts))
    spooled[slices.places, neurons] = slices.values
    flat = np.where(corpus.counted.reshape(-1, 1), x.reshape(-1, 128), 0)
    # batches of another shape may round a last bit otherwise
    assert spooled == pytest.approx(flat, abs=1e-6)
    assert ((spooled > 0) == (flat > 0)).all()
    assert all(one.negative is None for one in dashboards(plan, tmp_path))


def test_after_a_gelu_neurons_have_two_ends(ask, tmp_path):
    plan = prepare(ask("neurons", hook=POST), tmp_path).plan
    assert (plan.ends, plan.d_sae) == (2, 256)
    work(plan, tmp_path)
    lowest = [one.min_activation for one in dashboards_of(plan, tmp_path)]
    assert -0.18 < min(lowest) < -0.16  # the minimum of GELU is -0.170


def test_what_calls_itself_a_relu_and_is_negative_is_signed(ask, tmp_path, monkeypatch):
    monkeypatch.setattr("featureviz.engine.subject.Subject.is_rectified", lambda *_: True)
    assert prepare(ask("neurons", hook=POST), tmp_path).plan.ends == 2


def test_a_latents_logit_weights_are_its_directions_and_the_other_ends_are_opposite(ask, tmp_path):
    request = ask("random", max_contexts=4)
    plan = prepare(request, tmp_path).plan
    work(plan, tmp_path)
    subject = load_subject(request.model)
    W_dec = load_dictionary(plan.sources.dictionary).W_dec[::2]
    weights = (W_dec @ subject.W_U).detach().numpy()
    for one in dashboards_of(plan, tmp_path):
        row = np.sort(weights[one.index])
        assert [entry.value for entry in one.logits.top] == pytest.approx(row[::-1][:10], abs=1e-4)
        assert [entry.value for entry in one.logits.bottom] == pytest.approx(row[:10], abs=1e-4)
        promoted = [entry.value for entry in one.negative.logits.top]
        assert promoted == pytest.approx(-row[:10], abs=1e-4)


def test_principal_components_are_those_of_the_counted_positions(ask, tmp_path):
    request = ask("pca")
    plan = prepare(request, tmp_path).plan
    x, corpus = at_hook(request, plan, tmp_path)
    dictionary = load_dictionary(plan.sources.dictionary)
    rows = x[corpus.counted].astype(np.float64)
    assert dictionary.b_dec.numpy() == pytest.approx(rows.mean(axis=0), abs=1e-5)
    codes = (rows - rows.mean(axis=0)) @ dictionary.W_enc[:, ::2].double().numpy()
    variances = codes.var(axis=0)
    assert variances == pytest.approx(np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1], rel=1e-4)
    again = dictionary.codes(torch.from_numpy(x[corpus.counted])).dense() @ dictionary.W_dec
    assert (again + dictionary.b_dec).numpy() == pytest.approx(rows, abs=1e-4)


@pytest.mark.parametrize("kind", ["pca", "ica"])
def test_a_basis_is_fitted_once_and_found_again(ask, tmp_path, kind, monkeypatch):
    plan = prepare(ask(kind), tmp_path).plan
    before = files_of(tmp_path)
    monkeypatch.setitem(baselines._MAKERS, kind, None)  # a second fit would fail
    assert prepare(ask(kind), tmp_path).plan == plan
    assert files_of(tmp_path) == before
    folder = tmp_path / "dictionaries"
    assert plan.sources.dictionary == str(next(folder.iterdir()) / f"{kind}-1.resid_pre")


def test_a_basis_records_what_it_was_fitted_to(ask, tmp_path):
    prepared = prepare(ask("ica", seed=3), tmp_path)
    config = config_of(prepared.plan)
    fit = config["metadata"]["fit"]
    assert fit["tokens"] == fit["sampled"] == prepared.corpus.n_tokens
    assert fit["contexts"] == prepared.corpus.n_contexts
    assert fit["seed"] == 3
    assert config["metadata"]["hook_name"] == HOOK


def test_what_a_basis_depends_on_makes_another_one(ask, tmp_path):
    def digest(kind, **changes):
        return prepare(ask(kind, **changes), tmp_path).plan.dictionary_digest

    for kind in ("pca", "ica"):
        assert digest(kind) != digest(kind, max_contexts=5)
    assert digest("pca") == digest("pca", seed=1)
    assert digest("ica", seed=0) != digest("ica", seed=1)
    assert digest("random", seed=0) != digest("random", seed=1)
    assert digest("random") == digest("random", max_contexts=5)
    assert digest("neurons") == digest("neurons", seed=1)
    assert digest("neurons") != digest("neurons", hook=POST)


def test_a_long_text_is_read_at_contexts_spread_evenly(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "_FIT_POSITIONS", 5 * 16)
    monkeypatch.setattr(baselines, "_SAMPLE", 33)
    plan = prepare(ask("ica"), tmp_path).plan
    fit = config_of(plan)["metadata"]["fit"]
    assert plan.n_contexts > 20
    assert (fit["contexts"], fit["sampled"]) == (5, 33)


def test_the_sample_is_spread_evenly_over_what_is_read():
    kept = []
    batches = iter(torch.arange(10.0).split([3, 0, 4, 3]))
    passed = list(baselines._sampling(batches, np.arange(4) * 10 // 4, kept))
    assert torch.cat(passed).tolist() == list(range(10))
    assert torch.cat(kept).tolist() == [0, 2, 5, 7]


REFUSALS = {
    "no hook": ({"hook": None}, "pca needs --hook"),
    "unknown hook": ({"hook": "blocks.7.hook_resid_pre"}, "no hook point"),
    "not one vector a token": ({"hook": "blocks.0.attn.hook_pattern"}, "not one vector a token"),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_a_basis_that_cannot_be_had_is_refused_in_one_line(ask, tmp_path, case):
    changes, words = case
    with pytest.raises(EngineError, match=words) as refused:
        prepare(ask("pca", **changes), tmp_path)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.rglob("*")) == []


def test_a_text_too_short_to_fit_to_is_refused_and_leaves_nothing(ask, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    store = tmp_path / "store"
    with pytest.raises(EngineError, match="too few to fit"):
        prepare(ask("pca", corpus=tmp_path / "a.txt"), store)
    assert not store.exists()


def test_a_short_text_and_a_fit_that_did_not_settle_are_said(ask, tmp_path, monkeypatch):
    monkeypatch.setattr("featureviz.engine.decompositions.MOST_ROUNDS", 2)
    few = prepare(ask("pca", max_contexts=1), tmp_path)
    assert any("without any variance" in notice for notice in few.notices)
    unsettled = prepare(ask("ica"), tmp_path)
    assert any("did not converge in 2 rounds" in notice for notice in unsettled.notices)
    again = prepare(ask("ica"), tmp_path)
    assert again.notices == unsettled.notices


def test_another_cut_into_shards_and_blocks_gives_the_same_dashboards(ask, tmp_path):
    plan = prepare(ask("pca"), tmp_path).plan
    plan = smaller(plan, batch_size=4, shard_size=plan.n_contexts)
    other = smaller(plan, shard_size=12, block_size=18)
    assert (plan.n_shards, plan.n_blocks) == (1, 1)
    assert (other.n_shards > 2, other.n_blocks) == (True, 4)
    for one in (plan, other):
        work(one, tmp_path)
    assert dashboards_of(plan, tmp_path) == dashboards_of(other, tmp_path)


def test_shards_and_blocks_done_in_any_order_by_several_write_the_same_bytes(ask, tmp_path):
    plan = prepare(ask("random"), tmp_path).plan
    plan = smaller(plan, batch_size=4, shard_size=12, block_size=18)
    shutil.copytree(tmp_path / "corpora", tmp_path / "other" / "corpora")
    work(plan, tmp_path)
    for number in reversed(range(plan.n_shards)):
        Bench(plan, tmp_path / "other").shard(number)
    for number in reversed(range(plan.n_blocks)):
        Bench(plan, tmp_path / "other").block(number)
    assert files_of(tmp_path / "runs") == files_of(tmp_path / "other" / "runs")


def test_ends_have_ablation_effects_of_their_own(ask, tmp_path):
    plan = prepare(ask("pca", max_contexts=3, ablate="top"), tmp_path).plan
    work(plan, tmp_path)
    for one in dashboards_of(plan, tmp_path)[:4]:
        for end in (one, one.negative):
            assert end.effect_threshold == THRESHOLD
            assert any(example.effects for example in end.top)


def test_where_nothing_is_sparse_shards_and_blocks_are_smaller_and_hold_both_ends():
    assert shard_size(128) == shard_size(128, most_active=0) == 512
    assert shard_size(128, most_active=4096) == 32
    assert shard_size(128, most_active=10**9) == 32  # a batch at least
    assert block_size(300) == 256
    assert block_size(300, n_dense=500_000, ends=2) == 66
    assert block_size(300, n_dense=500_000, ends=1) == 67
    assert block_size(300, n_dense=10**12, ends=2) == 2


def test_progress_counts_latents_not_their_ends(ask, tmp_path):
    plan = prepare(ask("random"), tmp_path).plan
    done: list[int] = []
    bench = Bench(plan, tmp_path)
    bench.shard(0)
    bench.block(0, done.append)
    assert done[-1] == 32


def test_a_plan_with_ends_survives_being_written(ask, tmp_path):
    plan = prepare(ask("random"), tmp_path).plan
    assert Plan.from_json(json.loads(json.dumps(plan.as_json()))).ends == 2
