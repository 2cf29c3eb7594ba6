"""Hard negatives: the latent's favourite tokens, in contexts where it is silent throughout."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import TokenCount
from featureviz.engine.plan import SIZES
from featureviz.engine.precompute import prepare
from featureviz.engine.silent import favourites, with_silent
from featureviz.engine.sketches.walk import Ground
from tests.engine.dense import D_VOCAB, Case, cases, encoded, spooled
from tests.engine.test_neurons import blank
from tests.engine.test_precompute import run

WORD = (1 << 64) - 1


def with_silents(case, seed=0, shard_size=None):
    with spooled(case, shard_size) as shards:
        boards = shards.dashboards(SIZES, seed)
        ground = Ground(case.tokens, D_VOCAB, seed)
        return with_silent(boards, shards.spool, case.corpus, ground)


def mix(word):
    """splitmix64 in plain Python."""
    word = (word + 0x9E3779B97F4A7C15) & WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


def drawn_by(seed, latent, place, salt=3):
    state = mix((mix(seed) + latent) & WORD)
    return (mix((mix((state + place) & WORD) + salt) & WORD) >> 11) / 2**53


def eligible(case, board):
    """Every (context, position) that may be shown."""
    active = ((case.activations[:, :, board.index] > 0) & case.counted).any(axis=1)
    wanted = set(favourites(board))
    return [
        (context, position)
        for (context, position), token in np.ndenumerate(case.tokens)
        if token in wanted and case.counted[context, position] and not active[context]
    ]


def places(examples):
    return [(example.context, example.position) for example in examples]


def fired(*counts):
    """A latent that fired on tokens 0, 1, … so often."""
    rows = tuple(TokenCount(token, count, 100, 1.0) for token, count in enumerate(counts))
    return replace(blank(0, [0.0]), n_active=sum(counts), fires_on=rows)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([], []),
        ([1], [0]),
        ([5, 3, 2], [0]),
        ([4, 3, 3], [0, 1]),
        ([2, 2, 2, 2], [0, 1]),
        ([1] * 30, [0, 1, 2, 3, 4]),
    ],
)
def test_favourites_make_up_half_of_its_firing_and_are_five_at_most(counts, expected):
    assert favourites(fired(*counts)) == expected


@given(cases(), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_they_are_the_smallest_hashes_one_a_context_of_all_eligible_places(case, seed):
    for board in with_silents(case, seed):
        best: dict[int, tuple[float, int]] = {}
        for context, position in eligible(case, board):
            number = drawn_by(seed, board.index, context * case.n_ctx + position)
            best[context] = min(best.get(context, (2.0, 0)), (number, position))
        ranked = sorted(best.items(), key=lambda item: item[1])[:10]
        assert places(board.silent) == [(context, at) for context, (_, at) in ranked]


def contexts(rng=0, n_contexts=60, n_ctx=8, d_sae=4):
    """Many contexts; latents fire in a third of them."""
    random = np.random.default_rng(rng)
    active = random.random((n_contexts, 1, d_sae)) < 0.33
    fires = active & (random.random((n_contexts, n_ctx, d_sae)) < 0.3)
    values = np.where(fires, random.random(fires.shape), 0).astype(np.float32)
    tokens = random.integers(0, D_VOCAB, (n_contexts, n_ctx)).astype(np.int32)
    return Case(values, random.random((n_contexts, n_ctx)) < 0.9, tokens)


def test_they_hold_a_favourite_are_distinct_and_never_active():
    case = contexts()
    for board in with_silents(case):
        assert len(board.silent) == 10
        assert len({example.context for example in board.silent}) == 10
        assert set(places(board.silent)) <= set(eligible(case, board))
        for example in board.silent:
            assert (example.activation, example.positions, example.activations) == (0, (), ())
            assert not example.repeated


@pytest.mark.parametrize("shard_size", [1, 7, 60])
@pytest.mark.parametrize("threads", [1, 3])
def test_neither_shards_nor_threads_change_a_bit(shard_size, threads):
    alone = encoded(with_silents(contexts()))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert encoded(with_silents(contexts(), shard_size=shard_size)) == alone
    finally:
        torch.set_num_threads(before)


def test_every_eligible_place_is_as_likely_as_any_other():
    case = contexts(n_contexts=12, n_ctx=4, d_sae=1)
    counts: dict[tuple[int, int], int] = {}
    for seed in range(1500):
        (board,) = with_silents(case, seed)
        first = places(board.silent)[0]
        counts[first] = counts.get(first, 0) + 1
    everywhere = eligible(case, board)
    expected = 1500 / len(everywhere)
    chi_square = sum((counts.get(place, 0) - expected) ** 2 / expected for place in everywhere)
    assert set(counts) <= set(everywhere)
    assert chi_square < 2.2 * len(everywhere)  # p below 1e-3 from 8 places on


def test_a_latent_that_never_fired_or_is_never_silent_has_none():
    case = contexts(d_sae=2)
    case.activations[:, :, 0] = 0
    case.activations[:, :, 1] = 1
    assert [board.silent for board in with_silents(case)] == [(), ()]


def test_those_that_read_alike_are_marked():
    case = contexts(d_sae=1)
    case.tokens[:] = 0
    case.counted[:] = True
    (board,) = with_silents(case)
    by_window = {example.position for example in board.silent}
    assert sum(not example.alike for example in board.silent) == len(by_window)
    assert sum(example.n_alike for example in board.silent if not example.alike) == 10


def test_a_run_draws_them_from_its_own_corpus(request_of, tmp_path):
    found = run(request_of(context_size=16), tmp_path)
    plan = prepare(request_of(context_size=16), tmp_path).plan
    corpus = StoredCorpus(tmp_path / "corpora" / plan.corpus_digest)
    shown = 0
    for one in found:
        active = {c.context for i in one.intervals for c in i.examples}
        for example in one.silent:
            shown += 1
            assert example.context not in active | {c.context for c in one.top}
            assert int(corpus.tokens[example.context, example.position]) in favourites(one)
            assert corpus.counted[example.context, example.position]
    assert shown > 100
