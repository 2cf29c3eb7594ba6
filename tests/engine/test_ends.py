"""Two ends become one dashboard: numbers keep their sign, nothing else changes."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from featureviz.dashboards.schema import Dashboard
from featureviz.engine.ends import of_both_ends, with_both_ends
from featureviz.engine.plan import SIZES
from tests.engine.dense import Case, case_of, cases, dashboards
from tests.oracles.dense import expected


def both(case):
    """Dashboards of a case whose activations are signed."""
    ends = np.stack([case.activations, -case.activations], axis=-1)
    halves = Case(ends.reshape(*ends.shape[:2], -1), case.counted, case.tokens)
    return with_both_ends(dashboards(halves), 2)


def truth(case, latent, sign):
    return expected(
        sign * case.activations[:, :, latent],
        case.counted,
        case.tokens,
        n_bins=SIZES.n_bins,
        n_intervals=SIZES.n_intervals,
        n_top=SIZES.n_top,
    )


@settings(deadline=None, max_examples=60)
@given(cases())
def test_each_end_equals_the_oracle_on_the_activations_of_its_sign(case):
    for latent, found in enumerate(both(case)):
        assert found.index == found.negative.index == latent
        for end, sign in ((found, 1), (found.negative, -1)):
            right = truth(case, latent, sign)
            assert end.n_active == right.n_active
            assert end.n_active_contexts == right.n_active_contexts
            assert end.max_activation == sign * right.maximum
            assert end.sum_activation == pytest.approx(sign * right.total, rel=1e-9, abs=1e-300)
            assert end.sum_squared_activation == pytest.approx(right.total_squares, rel=1e-9)
            assert [(e.context, e.position, e.activation) for e in end.top] == [
                (*spot, sign * value) for spot, value in right.top
            ]
            assert list(end.histogram.counts[::sign]) == right.histogram
            assert list(end.histogram.edges) == sorted(end.histogram.edges)
            for interval, spots in zip(end.intervals, reversed(right.intervals), strict=False):
                assert interval.n_active == len(spots)
                assert interval.lower < interval.upper or not right.maximum
                for example in interval.examples:
                    place = example.context, example.position
                    assert example.activation == sign * spots[place]
                    assert interval.lower <= example.activation <= interval.upper
            for row in end.fires_on:
                count, total = right.tokens[row.token]
                assert (row.n_active, row.n_tokens >= count) == (count, True)
                assert row.total == pytest.approx(sign * total, rel=1e-9)


def test_every_example_of_the_negative_end_shows_the_negative_activations_of_its_context():
    case = case_of([[[1.0], [-2.0], [0.0], [-0.5]], [[3.0], [-1.0], [4.0], [0.5]]])
    (found,) = both(case)
    assert (found.max_activation, found.min_activation) == (4, -2)
    first = found.negative.top[0]
    assert (first.context, first.position, first.activation) == (0, 1, -2)
    assert (first.positions, first.activations) == ((1, 3), (-2, -0.5))
    assert [example.activation for example in found.negative.top] == [-2, -1]
    assert found.negative.mean_activation == pytest.approx(-3.5 / 3)


def test_a_latent_never_negative_has_a_dead_negative_end_without_signed_zeros():
    (found,) = both(case_of([[[1.0], [2.0]]]))
    end = found.negative
    assert (end.n_active, end.histogram.counts, end.top) == (0, (), ())
    assert str(end.max_activation) == str(end.sum_activation) == "0.0"


def test_with_one_end_dashboards_are_what_they_were():
    found = dashboards(case_of([[[1.0], [2.0]]]))
    assert with_both_ends(found, 1) == found
    assert found[0].negative is None
    assert found[0].min_activation == 0


def test_a_dashboard_with_two_ends_survives_being_written():
    found = both(case_of([[[1.0], [-2.0]]]))
    written = msgspec.msgpack.encode(found)
    assert msgspec.msgpack.decode(written, type=list[Dashboard]) == found


@settings(deadline=None, max_examples=30)
@given(cases())
def test_the_ends_of_a_latent_can_be_had_back(case):
    ends = np.stack([case.activations, -case.activations], axis=-1)
    halves = dashboards(Case(ends.reshape(*ends.shape[:2], -1), case.counted, case.tokens))
    merged = with_both_ends(halves, 2)
    assert [end for board in merged for end in of_both_ends(board, 2)] == halves
    assert of_both_ends(halves[0], 1) == halves[:1]
