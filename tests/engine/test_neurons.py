"""Latents beside neurons: alignment by weight, correlation over every counted token."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Histogram
from featureviz.engine import neurons
from featureviz.engine.activations import Actives
from featureviz.engine.dictionaries.base import DictionaryFacts
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.neurons import (
    NeuronGatherer,
    merged,
    with_alignment,
    with_correlated,
)
from featureviz.engine.precompute import prepare, shard_path
from featureviz.engine.subject import Subject, load_subject
from tests.engine.conftest import write_standard
from tests.engine.test_precompute import dashboards, files_of, run, smaller, work

POST = "blocks.1.mlp.hook_post"


def blank(index, f):
    """What a dashboard knows of one latent's activations [n_tokens]."""
    values = np.asarray(f, np.float32).astype(np.float64)
    return Dashboard(
        index=index,
        n_tokens=len(values),
        n_active=int((values > 0).sum()),
        n_contexts=1,
        n_active_contexts=1,
        sum_activation=float(values.sum()),
        sum_squared_activation=float((values**2).sum()),
        max_activation=float(values.max()),
        decoder_norm=1.0,
        histogram=Histogram((), ()),
        logits=None,
        top=(),
        intervals=(),
        random=(),
        fires_on=(),
    )


def actives_of(f):
    places, latents = np.nonzero(f > 0)
    return Actives(places.astype(np.uint32), latents.astype(np.int32), f[places, latents])


def gathered(f, x, counted=None, batches=1, hook=POST):
    """The moments of activations [n, n_latents] and neurons [n, n_neurons], batch by batch."""
    facts = DictionaryFacts("d", "", "", "standard", hook, x.shape[1], f.shape[1], None)
    counted = np.ones(len(f), bool) if counted is None else counted
    gatherer = NeuronGatherer.of(facts, counted)
    actives = actives_of(f * counted[:, None])
    for part in np.array_split(np.arange(len(f)), batches):
        inside = np.isin(actives.places, part)
        gatherer.add(Actives(*(column[inside] for column in actives)), torch.from_numpy(x[part]))
    return gatherer.moments


def correlated(f, x):
    """The three rows of every latent."""
    f, x = np.array(f, np.float32), np.array(x, np.float32)
    boards = [blank(index, column) for index, column in enumerate(f.T)]
    found = with_correlated(boards, gathered(f, x))
    return [one.correlated_neurons for one in found]


# Alignment


def test_the_worked_case_of_alignment_goes_by_size_and_keeps_the_sign():
    (found,) = with_alignment([blank(0, [0.0])], np.array([[0.6, -0.8, 0]], np.float32))
    rows = [(row.neuron, row.weight, row.share_of_l1) for row in found.neuron_alignment]
    assert [row[0] for row in rows] == [1, 0]
    assert rows[0][1:] == pytest.approx((-0.8, 0.5714), abs=1e-4)
    assert rows[1][1:] == pytest.approx((0.6, 0.4286), abs=1e-4)


def test_a_direction_of_zeros_is_aligned_with_no_neuron():
    (found,) = with_alignment([blank(0, [0.0])], np.zeros((1, 5), np.float32))
    assert found.neuron_alignment == ()


def test_equal_weights_come_in_the_order_of_neurons():
    (found,) = with_alignment([blank(0, [0.0])], np.array([[1, -2, 2, -2, 2]], np.float32))
    assert [row.neuron for row in found.neuron_alignment] == [1, 2, 3]


# Correlation


def test_the_worked_case_of_correlation_comes_out():
    ((row,),) = correlated([[0], [0], [2], [4]], [[1], [0], [3], [4]])
    assert (row.pearson, row.cosine) == pytest.approx((0.953463, 0.964764), abs=1e-6)


def test_a_latent_that_never_varies_is_correlated_with_nothing_whatever_its_sums_round_to():
    spreads = []
    for n in range(900, 940):
        x = np.random.default_rng(0).normal(size=(n, 4))
        silent, steady = correlated([[0, 0.1]] * n, x)
        assert silent == steady == ()
        board = blank(0, [0.1] * n)
        spreads.append(n * board.sum_squared_activation - board.sum_activation**2)
    assert max(spreads) > 0  # rounding alone would have made a correlation


def test_a_neuron_that_never_varies_is_correlated_with_nothing():
    f = np.random.default_rng(0).random((1000, 1))
    x = np.concatenate([np.full((1000, 3), 0.1), f], axis=1)
    ((row,),) = correlated(f, x)
    assert row.neuron == 3


def test_rare_latents_are_not_drawn_towards_zero():
    """An epsilon in the denominator would: the latent fires once, at 1e-3, in 20,000 tokens."""
    f = np.zeros((20_000, 1))
    f[77] = 1e-3
    ((row,),) = correlated(f, f * 0.5)
    assert (row.pearson, row.cosine) == pytest.approx((1, 1), abs=1e-9)


def test_a_negative_correlation_stays_negative():
    ((row,),) = correlated([[0], [1], [2], [3]], [[3], [2], [1], [0]])
    assert row.pearson == pytest.approx(-1)
    assert row.cosine == pytest.approx(4 / 14)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_correlations_equal_numpys_on_anything(data):
    n = data.draw(st.integers(2, 40))
    seed = data.draw(st.integers(0, 10_000))
    random = np.random.default_rng(seed)
    f = np.where(random.random((n, 3)) < 0.4, random.random((n, 3)), 0).astype(np.float32)
    x = (random.normal(size=(n, 5)) * 10.0 ** random.integers(-3, 3)).astype(np.float32)
    counted = random.random(n) < 0.8
    counted[0] = True
    boards = [blank(index, column[counted]) for index, column in enumerate(f.T)]
    found = with_correlated(boards, gathered(f, x, counted))
    for latent, one in enumerate(found):
        expected = pearsons(f[counted, latent], x[counted])
        of_neuron = dict(expected)
        for row, (_, value) in zip(one.correlated_neurons, expected[:3], strict=True):
            assert row.pearson == pytest.approx(value, abs=1e-6)
            assert row.pearson == pytest.approx(of_neuron[row.neuron], abs=1e-6)


def pearsons(f, x):
    """(neuron, Pearson) of one latent by numpy, largest first; only where both vary."""
    f, x = f.astype(np.float64), x.astype(np.float64)
    varying = [j for j in range(x.shape[1]) if np.ptp(f) > 0 and np.ptp(x[:, j]) > 0]
    values = [(j, float(np.corrcoef(f, x[:, j])[0, 1])) for j in varying]
    return sorted(values, key=lambda row: (-row[1], row[0]))


def drawn(n=400, n_latents=7, n_neurons=9):
    random = np.random.default_rng(1)
    f = np.where(random.random((n, n_latents)) < 0.3, random.random((n, n_latents)), 0)
    return f.astype(np.float32), random.normal(size=(n, n_neurons)).astype(np.float32)


def as_bytes(moments):
    return [array.tobytes() for array in moments]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_neither_batches_nor_threads_change_a_bit_of_the_sums(threads):
    f, x = drawn()
    alone = as_bytes(gathered(f, x))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert as_bytes(gathered(f, x, batches=threads)) == alone
    finally:
        torch.set_num_threads(before)


def test_shards_merge_to_the_whole():
    f, x = drawn()
    parts = [gathered(f[rows], x[rows]) for rows in np.array_split(np.arange(len(f)), 5)]
    whole = gathered(f, x)
    for name, one in merged(parts)._asdict().items():
        assert one == pytest.approx(getattr(whole, name), rel=1e-12, abs=1e-12), name


def test_without_neurons_nothing_is_gathered():
    f, x = drawn()
    assert gathered(f, x, hook="blocks.1.hook_resid_post") is None


# The whole way, on a tiny model


@pytest.fixture
def on_neurons(request_of, tmp_path):
    """A request about a dictionary on the MLP of the tiny model."""
    folder = write_standard(tmp_path / "dictionary", d_in=128)
    return request_of(dictionary=str(folder), hook=POST, context_size=16)


def test_only_the_inside_of_an_mlp_has_neurons(model_folder):
    subject = load_subject(str(model_folder))
    hooks = {hook for hook in subject.bridge.hook_dict if Subject.has_neurons(hook)}
    assert hooks == {
        f"blocks.{layer}.mlp.hook_{side}" for layer in (0, 1) for side in ("pre", "post")
    }


def test_the_neurons_of_every_latent_are_those_of_brute_force(on_neurons, tmp_path):
    plan = prepare(on_neurons, tmp_path / "store").plan
    plan = smaller(plan, batch_size=4, shard_size=12, block_size=17)
    work(plan, tmp_path / "store")
    found = dashboards(plan, tmp_path / "store")
    corpus = StoredCorpus(tmp_path / "store" / "corpora" / plan.corpus_digest)
    subject, dictionary = load_subject(on_neurons.model), load_dictionary(on_neurons.dictionary)
    x = subject.activations(torch.from_numpy(np.array(corpus.tokens, np.int64)), POST)
    x = x.flatten(0, 1)[torch.from_numpy(np.array(corpus.counted).reshape(-1))]
    f = dictionary.codes(x).dense().numpy()
    assert plan.n_shards > 2
    for one in found:
        expected = pearsons(f[:, one.index], x.numpy())
        assert len(one.correlated_neurons) == (3 if one.n_active else 0)
        for row, (_, value) in zip(one.correlated_neurons, expected, strict=False):
            assert row.pearson == pytest.approx(value, abs=1e-5)
            y = x[:, row.neuron].double().numpy()
            own = f[:, one.index].astype(np.float64)
            assert row.pearson == pytest.approx(np.corrcoef(own, y)[0, 1], abs=1e-5)
            cosine = own @ y / np.linalg.norm(own) / np.linalg.norm(y)
            assert row.cosine == pytest.approx(cosine, abs=1e-5)
        direction = dictionary.W_dec[one.index].double().numpy()
        best = np.argsort(-np.abs(direction))[:3]
        assert [row.neuron for row in one.neuron_alignment] == best.tolist()
        assert [row.weight for row in one.neuron_alignment] == pytest.approx(direction[best])
        shares = np.abs(direction[best]) / np.abs(direction).sum()
        assert [row.share_of_l1 for row in one.neuron_alignment] == pytest.approx(shares)


def test_correlations_are_none_of_the_alignments(on_neurons, tmp_path):
    """A peer prints weights under the heading of Pearson."""
    for one in run(on_neurons, tmp_path / "store"):
        pearson = {row.pearson for row in one.correlated_neurons}
        assert not pearson & {row.weight for row in one.neuron_alignment}
        assert not pearson & {row.share_of_l1 for row in one.neuron_alignment}


def test_a_run_at_neurons_writes_the_same_bytes_again(on_neurons, tmp_path):
    for store in ("a", "b"):
        run(on_neurons, tmp_path / store)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_a_residual_stream_has_neither_panel(request_of, tmp_path):
    for one in run(request_of(max_contexts=3), tmp_path):
        assert (one.neuron_alignment, one.correlated_neurons, one.correlated_neurons_left_out) == (
            None,
            None,
            "",
        )


def test_sums_too_large_to_keep_are_left_out_and_that_is_said(on_neurons, tmp_path, monkeypatch):
    monkeypatch.setattr(neurons, "LIMIT", 96 * 128 * 8 - 1)
    plan = prepare(on_neurons, tmp_path).plan
    work(plan, tmp_path)
    stored = load_file(shard_path(tmp_path / "runs" / plan.key, 0))
    assert not [name for name in stored if name.startswith("neurons.")]
    for one in dashboards(plan, tmp_path):
        assert one.correlated_neurons is None
        assert "96 latents by 128 neurons" in one.correlated_neurons_left_out
        assert len(one.neuron_alignment) == 3


def test_sums_that_just_fit_are_kept(monkeypatch):
    monkeypatch.setattr(neurons, "LIMIT", 96 * 128 * 8)
    assert neurons.left_out(96, 128) == ""
