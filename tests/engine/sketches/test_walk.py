"""Dashboards made from spooled activations say what the brute-force oracle says."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from featureviz.engine.plan import SIZES
from featureviz.engine.sketches.walk import Sizes
from tests.engine.dense import ALL_SIZES, Case, case_of, cases, dashboards, encoded, spooled
from tests.oracles.dense import Expected, expected

# Cases that matter are small; a slow machine is no failure.
thoroughly = settings(max_examples=80, deadline=None, derandomize=True)


def oracle(case: Case, latent: int, sizes: Sizes = SIZES) -> Expected:
    return expected(
        case.activations[:, :, latent],
        case.counted,
        case.tokens,
        n_bins=sizes.n_bins,
        n_intervals=sizes.n_intervals,
        n_top=sizes.n_top,
    )


@thoroughly
@given(cases(), ALL_SIZES)
def test_counts_sums_and_histogram_equal_the_oracle(case, sizes):
    for found in dashboards(case, sizes):
        truth = oracle(case, found.index, sizes)
        assert found.n_tokens == case.counted.sum()
        assert found.n_active == truth.n_active
        assert found.n_contexts == case.n_contexts
        assert found.n_active_contexts == truth.n_active_contexts
        assert found.max_activation == truth.maximum
        assert found.sum_activation == pytest.approx(truth.total, rel=1e-12, abs=0)
        assert found.sum_squared_activation == pytest.approx(truth.total_squares, rel=1e-12, abs=0)
        assert list(found.histogram.counts) == truth.histogram


@thoroughly
@given(cases(max_contexts=8), ALL_SIZES)
def test_top_contexts_are_the_strongest_distinct_ones_ties_in_corpus_order(case, sizes):
    for found in dashboards(case, sizes):
        truth = oracle(case, found.index, sizes)
        shown = [((one.context, one.position), one.activation) for one in found.top]
        assert shown == truth.top


@thoroughly
@given(cases(), ALL_SIZES)
def test_an_interval_shows_as_many_distinct_contexts_of_its_own_as_there_are(case, sizes):
    for found in dashboards(case, sizes):
        truth = oracle(case, found.index, sizes)
        if not truth.n_active:
            assert found.intervals == ()
            continue
        assert len(found.intervals) == sizes.n_intervals
        for interval, population in zip(reversed(found.intervals), truth.intervals, strict=True):
            assert interval.n_active == len(population)
            shown = {(one.context, one.position): one.activation for one in interval.examples}
            assert shown.items() <= population.items()
            contexts = [one.context for one in interval.examples]
            available = len({context for context, _ in population})
            assert len(set(contexts)) == len(contexts) == min(sizes.n_per_interval, available)
            activations = [one.activation for one in interval.examples]
            assert activations == sorted(activations, reverse=True)


@thoroughly
@given(cases(), ALL_SIZES)
def test_the_random_sample_holds_as_many_distinct_active_contexts_as_there_are(case, sizes):
    for found in dashboards(case, sizes):
        truth = oracle(case, found.index, sizes)
        shown = {(one.context, one.position): one.activation for one in found.random}
        assert shown.items() <= truth.everywhere.items()
        contexts = {one.context for one in found.random}
        assert len(contexts) == len(found.random) == min(sizes.n_random, truth.n_active_contexts)


@thoroughly
@given(cases())
def test_tokens_it_fires_on_equal_the_oracle_the_most_frequent_first(case):
    base = np.bincount(case.tokens[case.counted], minlength=6)
    for found in dashboards(case):
        truth = oracle(case, found.index).tokens
        shown = [(one.token, one.n_active, one.n_tokens) for one in found.fires_on]
        ranked = sorted(truth, key=lambda token: (-truth[token][0], token))
        assert shown == [(token, truth[token][0], base[token]) for token in ranked]
        for one in found.fires_on:
            assert one.total == pytest.approx(truth[one.token][1], rel=1e-12, abs=0)


@thoroughly
@given(cases(max_contexts=6), ALL_SIZES)
def test_every_example_carries_all_activations_of_its_context(case, sizes):
    for found in dashboards(case, sizes):
        everywhere = oracle(case, found.index, sizes).everywhere
        groups = [found.top, *(interval.examples for interval in found.intervals), found.random]
        for example in (one for group in groups for one in group):
            carried = dict(zip(example.positions, example.activations, strict=True))
            assert list(example.positions) == sorted(carried)
            assert carried == {
                position: value
                for (context, position), value in everywhere.items()
                if context == example.context
            }


@thoroughly
@given(cases(max_contexts=6), ALL_SIZES)
def test_an_example_is_marked_as_repeated_exactly_when_an_earlier_group_shows_it(case, sizes):
    for found in dashboards(case, sizes):
        seen: set[tuple[int, int]] = set()
        for group in [found.top, *(each.examples for each in found.intervals), found.random]:
            for one in group:
                assert one.repeated == ((one.context, one.position) in seen)
            seen |= {(one.context, one.position) for one in group}


def window(case, example):
    """Tokens before and after, eight at most on either side."""
    row, at = case.tokens[example.context].tolist(), example.position
    return row[max(0, at - 8) : at], row[at : at + 9]


@thoroughly
@given(cases(), ALL_SIZES, st.booleans())
def test_examples_read_alike_exactly_when_the_tokens_around_them_are_the_same(case, sizes, long):
    if long:  # contexts that reach beyond the window, differing in two tokens at most
        n_ctx = 24
        tokens = np.zeros((case.n_contexts, n_ctx), np.int32)
        tokens[:, [3, 14]] = np.resize(case.tokens, (case.n_contexts, 2)) % 2
        activations = np.zeros((case.n_contexts, n_ctx, case.d_sae), np.float32)
        activations[:, [11, 12]] = np.resize(case.activations, (case.n_contexts, 2, case.d_sae))
        case = Case(activations, np.ones(tokens.shape, bool), tokens)
    for found in dashboards(case, sizes):
        for group in [found.top, *(each.examples for each in found.intervals), found.random]:
            windows = [window(case, one) for one in group]
            for at, one in enumerate(group):
                assert one.n_alike == windows.count(windows[at])
                assert one.alike == (windows[at] in windows[:at])


@thoroughly
@given(cases(), ALL_SIZES, st.data())
def test_any_cut_into_shards_gives_the_same_bytes(case, sizes, data):
    size = data.draw(st.integers(1, case.n_contexts), label="contexts in a shard")
    seed = data.draw(st.integers(0, 2**32), label="seed")
    whole = dashboards(case, sizes, seed=seed)
    assert encoded(dashboards(case, sizes, seed=seed, shard_size=size)) == encoded(whole)


@thoroughly
@given(cases(), ALL_SIZES, st.data())
def test_however_little_is_held_at_once_the_bytes_are_the_same(case, sizes, data):
    size = data.draw(st.integers(1, case.n_contexts), label="contexts in a shard")
    held = data.draw(st.integers(1, 20), label="activations held")
    with spooled(case, size) as shards:
        assert encoded(shards.dashboards(sizes, 3, held)) == encoded(shards.dashboards(sizes, 3))


@thoroughly
@given(cases(), st.integers(1, 2**32))
def test_another_seed_changes_samples_and_nothing_else(case, seed):
    for one, other in zip(dashboards(case), dashboards(case, seed=seed), strict=True):
        for name in set(one.__struct_fields__) - {"intervals", "random"}:
            assert getattr(one, name) == getattr(other, name), name
        for left, right in zip(one.intervals, other.intervals, strict=True):
            assert (left.lower, left.upper, left.n_active) == (
                right.lower,
                right.upper,
                right.n_active,
            )


@thoroughly
@given(cases(max_contexts=6), st.integers(2, 4))
def test_neighbouring_latents_do_not_disturb_each_other(case, times):
    repeated = Case(np.tile(case.activations, (1, 1, times)), case.counted, case.tokens)
    alone, together = dashboards(case), dashboards(repeated)
    for latent, found in enumerate(together):
        twin = alone[latent % case.d_sae]
        assert found.histogram == twin.histogram
        assert found.top == twin.top
        assert found.sum_activation == twin.sum_activation
        assert found.fires_on == twin.fires_on


def test_a_dead_latent_has_no_maximum_no_histogram_and_no_example():
    (dead,) = dashboards(case_of(np.zeros((3, 2, 1))))
    assert (dead.n_active, dead.max_activation, dead.density) == (0, 0, 0)
    assert (dead.top, dead.intervals, dead.random, dead.fires_on) == ((), (), (), ())
    assert dead.histogram.edges == dead.histogram.counts == ()


def test_an_always_active_latent_has_density_one():
    (busy,) = dashboards(case_of(np.ones((30, 4, 1))))
    assert busy.density == 1
    assert [one.context for one in busy.top] == list(range(20))  # ties: the corpus's order
    assert busy.intervals[0].n_active == 120
    assert [interval.n_active for interval in busy.intervals[1:]] == [0] * 9


def test_the_intervals_of_the_methods_case_hold_their_upper_edge():
    # METHODS 1.2's values in our half-open (lower, upper]: 1 belongs to (0, 1], 5.5 to (5, 6].
    case = case_of(np.array([0.2, 1, 5.5, 9.9, 10]).reshape(5, 1, 1))
    (found,) = dashboards(case)
    weakest_first = [interval.n_active for interval in reversed(found.intervals)]
    assert weakest_first == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]


ONE_EACH = Sizes(n_bins=1, n_intervals=1, n_top=1, n_per_interval=1, n_random=1)
ONE_BIN = Sizes(n_bins=1, n_intervals=1, n_top=1, n_per_interval=5, n_random=5)


def chosen(group: str, case: Case, seeds: int, sizes: Sizes = ONE_BIN) -> np.ndarray:
    """How often each (context, position) stands in the first latent's sample, over seeds."""
    counts = np.zeros(case.activations.shape[:2])
    with spooled(case) as shards:
        for seed in range(seeds):
            (found,) = shards.dashboards(sizes, seed)
            sample = found.random if group == "random" else found.intervals[0].examples
            for one in sample:
                counts[one.context, one.position] += 1
    return counts


@pytest.mark.parametrize("group", ["random", "interval"])
def test_over_seeds_a_sample_is_uniform_over_contexts_active_once(group):
    case = case_of(np.where(np.arange(3)[None, :, None] == np.arange(20)[:, None, None] % 3, 1, 0))
    counts = chosen(group, case, 800)[case.activations[:, :, 0] > 0]
    assert counts.sum() == 800 * 5
    # Drawn without replacement, hence less spread than chi-square expects: scale by (n-1)/(n-k).
    statistic = ((counts - 200) ** 2 / 200).sum() * 19 / 15
    assert 1e-4 < stats.chi2.sf(statistic, df=19) < 1 - 1e-4


@pytest.mark.parametrize("group", ["random", "interval"])
def test_over_seeds_the_position_shown_of_a_context_is_uniform(group):
    counts = chosen(group, case_of(np.ones((5, 4, 1))), 400)
    assert (counts.sum(axis=1) == 400).all()
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4


@pytest.mark.parametrize("group", ["random", "interval"])
def test_a_context_is_drawn_the_more_often_the_more_active_positions_it_has(group):
    active = np.arange(1, 6)[:, None] > np.arange(5)  # one to five of five
    counts = chosen(group, case_of(active[:, :, None]), 600, ONE_EACH)
    assert counts[~active].sum() == 0
    assert stats.chisquare(counts[active]).pvalue > 1e-4


def test_the_two_samples_are_drawn_independently():
    case = case_of(np.ones((20, 1, 1)))
    both = 0
    with spooled(case) as shards:
        for seed in range(300):
            (found,) = shards.dashboards(ONE_BIN, seed)
            random = {one.context for one in found.random}
            both += len(random & {one.context for one in found.intervals[0].examples})
    # 5 of 20 twice: 1.25 in common on average, variance .74; 300 draws stay within 4 sigma.
    assert abs(both / 300 - 1.25) < 4 * (0.74 / 300) ** 0.5


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cases(max_contexts=8), st.randoms(use_true_random=False))
def test_a_context_replaced_elsewhere_leaves_the_choice_among_the_others(case, random):
    """Hash priorities depend on the place alone: silencing a place never promotes a lower one."""
    (before, *_) = dashboards(case)
    assume(len(before.random) > 1)
    gone = random.choice(before.random)
    silenced = case.activations.copy()
    silenced[gone.context, :, 0] = 0
    (after, *_) = dashboards(Case(silenced, case.counted, case.tokens))
    kept = [(one.context, one.position) for one in before.random if one.context != gone.context]
    assert [(one.context, one.position) for one in after.random][: len(kept)] == kept
