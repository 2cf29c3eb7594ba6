"""Effects of taking a latent out equal brute force, whatever is reused or skipped on the way."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import TokenWeight
from featureviz.engine import ablation
from featureviz.engine.ablation import (
    THRESHOLD,
    Changed,
    Effects,
    Pairs,
    PlainAblator,
    TailAblator,
    TokenChange,
    ablator,
)
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.precompute import Bench, Request, prepare
from featureviz.engine.subject import Subject, load_subject
from featureviz.engine.tail import entry_of
from featureviz.engine.token_effects import LEAST_CHANGE, STEP, Workplace, _encoded, stored
from tests.engine.conftest import write_gpt2, write_standard
from tests.engine.test_precompute import dashboards, files_of, run
from tests.oracles.ablation import Oracle

NATS = 2e-4
N_CTX = 32
HOOKS = [
    "blocks.0.hook_resid_pre",
    "blocks.1.hook_resid_post",
    "blocks.0.mlp.hook_post",
    "blocks.2.mlp.hook_post",
    "blocks.2.hook_mlp_out",
    "blocks.2.hook_resid_post",
    "blocks.1.hook_attn_out",
    "blocks.1.hook_resid_mid",
    "blocks.2.hook_resid_mid",
    "blocks.0.attn.hook_z",
]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory, byte_tokenizer):
    folder = tmp_path_factory.mktemp("ablated") / "three"
    return write_gpt2(folder, byte_tokenizer, seed=3, n_layer=3)


@pytest.fixture(scope="module")
def dictionary(gpt2, tmp_path_factory):
    """A dictionary for any hook of the three-layer model."""

    def make(hook):
        folder = tmp_path_factory.mktemp("dictionaries")
        d_in = load_subject(str(gpt2)).activations(torch.zeros(1, 2).long(), hook).shape[-1]
        return load_dictionary(str(write_standard(folder, d_in=d_in, d_sae=48)), hook)

    return make


@pytest.fixture(scope="module")
def llama(shared_data):
    folder = shared_data / "lm-stories260k"
    return folder, load_dictionary(str(shared_data / "sae-topk-l2"), None)


def tokens_of(n, d_vocab, n_ctx=N_CTX, seed=0):
    draw = np.random.default_rng(seed)
    return draw.integers(3, d_vocab, (n, n_ctx)).astype(np.int32)


def pairs_of(subject, dictionary, tokens, n=12):
    """Pairs of latents that are not active everywhere, late first activities among them."""
    x = subject.activations(torch.from_numpy(tokens).long(), dictionary.facts.hook)
    codes = torch.stack([dictionary.codes(row).dense() for row in x]).numpy()
    first = np.where((codes > 0).any(1), (codes > 0).argmax(1), -1)
    alive = np.argwhere(first >= 0)
    order = np.argsort(-first[tuple(alive.T)], kind="stable")
    chosen = alive[order[np.linspace(0, len(alive) - 1, n).astype(int)]]
    return make_pairs([(c, i, codes[c, :, i]) for c, i in chosen.tolist()]), codes


def make_pairs(found):
    positions = [np.flatnonzero(f > 0) for _, _, f in found]
    return Pairs(
        np.array([c for c, _, _ in found]),
        np.array([i for _, i, _ in found]),
        np.concatenate([[0], np.cumsum([len(p) for p in positions])]),
        np.concatenate(positions),
        np.concatenate([f[p] for (_, _, f), p in zip(found, positions, strict=True)]),
    )


def fast(subject, dictionary, **how):
    entry = entry_of(dictionary.facts.hook, subject.facts.n_layers)
    return TailAblator(subject, dictionary, entry, **how)


def check(folder, dictionary, way, subject, n_ctx=N_CTX):
    """Totals, direct effects, KL and changed tokens against the oracle."""
    tokens = tokens_of(3, subject.facts.d_vocab, n_ctx)
    pairs, codes = pairs_of(subject, dictionary, tokens)
    effects = way.effects(way.clean(tokens), pairs, listed=0.0)
    oracle, writes = Oracle(folder), subject.to_residual(dictionary.facts.hook)
    seen = 0.0
    for pair, (context, latent) in enumerate(zip(pairs.contexts, pairs.latents, strict=True)):
        direction = dictionary.W_dec[latent]
        f = torch.from_numpy(codes[context, :, latent])
        row = torch.from_numpy(tokens[context]).long()
        expected = oracle.expected(
            row, dictionary.facts.hook, f, direction, writes(direction[None])[0]
        )
        np.testing.assert_allclose(effects.total[pair], expected.total, atol=NATS, rtol=0)
        np.testing.assert_allclose(effects.direct[pair], expected.direct, atol=NATS, rtol=0)
        np.testing.assert_allclose(effects.kl[pair], expected.kl, atol=NATS, rtol=0)
        seen = max(seen, np.abs(expected.total).max())
        for (_, position), changed in only(effects.changed, pair).items():
            top = np.sort(expected.change[position])
            assert [one.change for one in changed.risen] == pytest.approx(top[:-4:-1], abs=1e-5)
            assert [one.change for one in changed.fallen] == pytest.approx(top[:3], abs=1e-5)
            for one in changed.risen + changed.fallen:
                assert one.change == pytest.approx(expected.change[position, one.token], abs=1e-5)
    assert seen > 50 * NATS  # there was something to see
    assert len(effects.changed) > 10


def only(changed, pair):
    """Those that moved enough for three tokens to have risen and three to have fallen."""
    return {
        key: one
        for key, one in changed.items()
        if key[0] == pair and len(one.risen) == len(one.fallen) == 3
    }


@pytest.mark.parametrize("hook", HOOKS)
def test_effects_equal_brute_force(hook, gpt2, dictionary):
    subject = load_subject(str(gpt2))
    found = ablator(subject, dictionary(hook), N_CTX)
    assert isinstance(found, TailAblator)  # the proof at the start succeeded
    check(gpt2, found.dictionary, found, subject)


@pytest.mark.parametrize("hook", ["blocks.1.hook_resid_mid", "blocks.1.mlp.hook_post"])
def test_the_plain_way_equals_brute_force(hook, gpt2, dictionary):
    subject = load_subject(str(gpt2))
    found = PlainAblator(subject, dictionary(hook))
    check(gpt2, found.dictionary, found, subject)


@pytest.mark.parametrize("place", ["hook_resid_post", "hook_attn_out"])
def test_a_rotary_model_with_shared_keys_equals_brute_force(place, llama):
    folder, trained = llama
    subject = load_subject(str(folder))
    hooked = replace(trained, facts=replace(trained.facts, hook=f"blocks.2.{place}"))
    found = ablator(subject, hooked, 64)
    assert isinstance(found, TailAblator)
    check(folder, hooked, found, subject, 64)


class TwoTokens:
    """A model of two tokens whose logits are [x, 0]; x is 2 at its only hook point."""

    device = torch.device("cpu")

    def to_residual(self, hook):
        return None

    def logits(self, tokens, hook, change):
        x = change(torch.full((*tokens.shape, 1), 2.0))
        return torch.cat([x, torch.zeros_like(x)], -1)


@pytest.mark.parametrize(("following", "expected"), [(0, 0.186334), (1, -0.813666)])
def test_the_case_of_the_methods(following, expected, dictionary):
    """Clean logits [2, 0], ablated [1, 0]: the first token was helped, the second hindered."""
    made = replace(dictionary("blocks.1.hook_resid_pre"), W_dec=torch.ones(1, 1))
    way = PlainAblator(cast(Subject, TwoTokens()), made)
    tokens = np.array([[0, following]], np.int32)
    effects = way.effects(way.clean(tokens), make_pairs([(0, 0, np.array([1.0, 0], np.float32))]))
    assert effects.total[0].tolist() == pytest.approx([0, expected], abs=1e-6)


@pytest.fixture
def case(gpt2, dictionary):
    subject = load_subject(str(gpt2))
    chosen = dictionary("blocks.1.hook_resid_pre")
    tokens = tokens_of(4, 300)
    pairs, _ = pairs_of(subject, chosen, tokens, n=20)
    return subject, chosen, tokens, pairs


def test_a_latent_that_writes_a_token_helps_that_token(tmp_path, byte_tokenizer):
    """A latent that writes one token's unembedding helps that token, and hurts another."""
    folder = write_gpt2(tmp_path / "one", byte_tokenizer, n_layer=1)
    subject = load_subject(str(folder))
    made = load_dictionary(str(write_standard(tmp_path / "sae")), "blocks.0.hook_resid_post")
    made.W_dec[7] = subject.W_U[:, 50] - subject.W_U.mean(1)
    tokens = np.array([[9, 50, 9, 51]], np.int32)
    found = fast(subject, made)
    f = np.array([9.0, 0, 9.0, 0], np.float32)
    effects = found.effects(found.clean(tokens), make_pairs([(0, 7, f)]), listed=THRESHOLD)
    assert effects.total[0, 1] > 0.1  # without it, token 50 is less likely
    assert effects.total[0, 3] < 0
    assert effects.total[0, [0, 2]].tolist() == [0, 0]
    assert np.array_equal(effects.total, effects.direct)


def test_nothing_changes_before_the_first_active_position(case):
    subject, chosen, tokens, pairs = case
    found = fast(subject, chosen)
    effects = found.effects(found.clean(tokens), pairs, listed=THRESHOLD)
    first = pairs.positions[pairs.starts[:-1]]
    assert first.max() > 8  # a prefix was cut
    for pair, position in enumerate(first):
        assert not effects.total[pair, : position + 1].any()
        assert not effects.kl[pair, : position + 1].any()
        assert all(one.position > position for one in stored(effects, pair))


def test_a_silent_latent_has_no_effect(case):
    subject, chosen, tokens, _ = case
    silent = make_pairs([(0, 2, np.zeros(N_CTX, np.float32))])
    for way in (fast(subject, chosen), PlainAblator(subject, chosen)):
        effects = way.effects(way.clean(tokens), silent, listed=0.0)
        assert not effects.total.any()
        assert stored(effects, 0) == ()


def test_reusing_the_prefix_changes_nothing(case):
    subject, chosen, tokens, pairs = case
    ways = [fast(subject, chosen, reuse=reuse) for reuse in (True, False)]
    found = [way.effects(way.clean(tokens), pairs) for way in ways]
    np.testing.assert_allclose(found[0].total, found[1].total, atol=2e-5)
    assert np.abs(found[0].total).max() > 0.01


def test_what_is_stored_is_exact_and_nothing_large_is_left_out(case):
    subject, chosen, tokens, pairs = case
    way = fast(subject, chosen)
    screened = way.effects(way.clean(tokens), pairs, listed=THRESHOLD)
    exact = way.effects(way.clean(tokens), pairs)
    skipped = 0
    for pair in range(len(pairs.contexts)):
        kept, whole = stored(screened, pair), stored(exact, pair)
        assert [one.position for one in kept] == [one.position for one in whole]
        for one, other in zip(kept, whole, strict=True):
            assert one.total == pytest.approx(other.total, abs=STEP)
            assert one.kl == pytest.approx(other.kl, abs=STEP)
        skipped += int(((screened.kl[pair] == 0) & (exact.kl[pair] > 0)).sum())
    assert skipped > 0  # the vocabulary was spared somewhere


def test_a_pair_s_numbers_do_not_depend_on_its_companions(case):
    subject, chosen, tokens, pairs = case
    way = fast(subject, chosen)
    clean = way.clean(tokens)
    whole = way.effects(clean, pairs, listed=THRESHOLD)
    for pair in (0, 7, 19):
        places = slice(pairs.starts[pair], pairs.starts[pair + 1])
        row = pairs.contexts[pair]
        alone = way.effects(
            way.clean(tokens[row : row + 1]),
            Pairs(
                np.zeros(1, np.int64),
                pairs.latents[pair : pair + 1],
                np.array([0, places.stop - places.start]),
                pairs.positions[places],
                pairs.values[places],
            ),
            listed=THRESHOLD,
        )
        assert alone.total[0].tobytes() == whole.total[pair].tobytes()
        assert alone.kl[0].tobytes() == whole.kl[pair].tobytes()
        assert stored(alone, 0) == stored(whole, pair)


def test_where_the_fast_way_errs_the_plain_one_is_taken(gpt2, dictionary, monkeypatch):
    subject = load_subject(str(gpt2))
    chosen = dictionary("blocks.1.hook_resid_pre")
    assert isinstance(ablator(subject, chosen, N_CTX), TailAblator)
    monkeypatch.setattr(TailAblator, "_logits", lambda self, rows: 0.9 * rows @ self._head.T)
    assert isinstance(ablator(subject, chosen, N_CTX), PlainAblator)
    assert ablation._PROBE_TOLERANCE <= 1e-3


def test_an_unknown_way_into_the_residual_stream_has_total_effects_only(gpt2, dictionary):
    subject = load_subject(str(gpt2))
    made = dictionary("blocks.1.mlp.hook_pre")
    found = ablator(subject, made, N_CTX)
    tokens = tokens_of(2, 300)
    pairs, _ = pairs_of(subject, made, tokens, n=3)
    effects = found.effects(found.clean(tokens), pairs)
    assert effects.direct is None
    assert np.abs(effects.total).max() > 1e-3


def test_only_effects_of_the_threshold_are_stored():
    changed = {(0, 2): Changed((TokenChange(5, 0.25),), (TokenChange(6, -0.5),))}
    total = np.array([[0, 0.0099, -0.0101, 0.001, 1e-7]], np.float32)
    direct = np.array([[0, 0, 0.25, 0.0, 0.0]], np.float32)
    kl = np.array([[0, 0, 0.125, 0.0101, 0]], np.float32)
    first, second = stored(Effects(total, direct, kl, changed), 0)
    assert (first.position, second.position) == (2, 3)
    assert (first.direct, first.kl) == (0.25, 0.125)
    assert first.risen == (TokenWeight(5, 0.25),)
    assert first.fallen == (TokenWeight(6, -0.5),)
    assert second.risen == ()


def test_what_is_stored_is_rounded_and_leaves_out_tokens_that_hardly_move():
    moved = (TokenChange(5, 0.3), TokenChange(6, LEAST_CHANGE / 2))
    total = np.array([[0, 1 / 3]], np.float32)
    [one] = stored(Effects(total, -total, total, {(0, 1): Changed(moved, ())}), 0)
    [risen] = one.risen
    assert risen.token == 5
    numbers = [(one.total, 1 / 3), (one.direct, -1 / 3), (one.kl, 1 / 3), (risen.value, 0.3)]
    for found, exact in numbers:
        assert found != exact
        assert found == pytest.approx(exact, abs=STEP / 2)
        assert found / STEP == int(found / STEP)


# Through the precompute


@pytest.fixture(scope="module")
def ablated(model_folder, text_file, tmp_path_factory):
    store = tmp_path_factory.mktemp("ablated")
    folder = write_standard(tmp_path_factory.mktemp("dictionaries") / "few", d_sae=20)
    request = Request(str(model_folder), str(folder), text_file, max_contexts=10, ablate="all")
    return request, store, run(request, store)


def test_every_example_gets_its_effects(ablated, model_folder):
    request, store, found = ablated
    subject, chosen = load_subject(request.model), load_dictionary(request.dictionary, None)
    with Bench(prepare(request, store).plan, store) as bench:
        tokens = bench.corpus.tokens
    oracle, n = Oracle(model_folder), 0
    for dashboard in found:
        groups = [dashboard.top, dashboard.random, *(i.examples for i in dashboard.intervals)]
        assert all(one.effects is not None for group in groups for one in group)
        assert dashboard.effect_threshold == THRESHOLD
        if not dashboard.top or n > 8:
            continue
        n += 1
        example = dashboard.top[0]
        row = torch.from_numpy(np.asarray(tokens[example.context], np.int64))
        x = subject.activations(row[None], chosen.facts.hook)[0]
        f = chosen.codes(x).dense()[:, dashboard.index]  # the start token's too
        direction = chosen.W_dec[dashboard.index]
        expected = oracle.expected(row, chosen.facts.hook, f, direction, direction)
        for one in example.effects:
            assert one.total == pytest.approx(expected.total[one.position], abs=NATS)
            assert one.direct == pytest.approx(expected.direct[one.position], abs=NATS)
    assert n > 8


def test_top_alone_leaves_the_other_groups_bare(ablated, tmp_path):
    request, _, everything = ablated
    for one, full in zip(run(replace(request, ablate="top"), tmp_path), everything, strict=True):
        assert [example.effects for example in one.top] == [e.effects for e in full.top]
        assert all(example.effects is None for example in one.random)
        assert all(e.effects is None for interval in one.intervals for e in interval.examples)


def test_the_setting_is_part_of_the_key_and_off_by_default(ablated, tmp_path):
    request, store, _ = ablated
    plans = [prepare(replace(request, ablate=one), tmp_path).plan for one in ("none", "top", "all")]
    assert len({plan.key for plan in plans}) == 3
    assert Request("m", "d", store).ablate == "none"


def test_doing_it_again_writes_the_same_bytes(ablated, tmp_path):
    request, store, _ = ablated
    run(request, tmp_path)
    key = prepare(request, store).plan.key
    assert files_of(tmp_path / "runs" / key / "blocks") == files_of(store / "runs" / key / "blocks")
    assert dashboards(prepare(request, store).plan, store)


def test_clean_runs_kept_from_block_to_block_change_nothing(ablated, tmp_path, monkeypatch):
    request, store, _ = ablated
    monkeypatch.setattr(TailAblator, "contexts_kept", lambda self, n_ctx: 0)
    run(request, tmp_path)
    key = prepare(request, store).plan.key
    assert files_of(tmp_path / "runs" / key / "blocks") == files_of(store / "runs" / key / "blocks")


def test_the_start_token_s_part_is_run_once_and_the_rest_as_far_as_needed(case):
    subject, chosen, tokens, _ = case
    corpus = cast(StoredCorpus, None)
    place = Workplace(PlainAblator(subject, chosen), subject, chosen, corpus)
    rows, positions = np.array([0, 1, 2, 3, 3]), np.array([0, 0, 0, 0, 21])
    tokens[:, 0] = 0
    x = subject.activations(torch.from_numpy(tokens).long(), chosen.facts.hook)
    expected = chosen.codes(x[torch.from_numpy(rows), torch.from_numpy(positions)]).dense()
    lengths: list[tuple[int, ...]] = []
    real = subject.activations

    def seen(batch, hook):
        lengths.append(tuple(batch.shape))
        return real(batch, hook)

    spied = replace(place, subject=cast(Subject, SimpleNamespace(activations=seen)))
    found = _encoded(tokens, rows, positions, spied)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert sorted({length for _, length in lengths}) == [1, 32]
    assert len(lengths) == 2
