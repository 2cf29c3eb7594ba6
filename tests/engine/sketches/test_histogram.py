"""Bins are half-open, their edges exact."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.engine.sketches.histogram import bin_of, edges, even_histogram

positive = st.floats(2.0**-100, 2.0**100, width=32)


@settings(deadline=None)
@given(positive, st.integers(1, 60))
def test_edges_start_at_zero_ascend_and_end_exactly_at_the_maximum(maximum, n_bins):
    found = edges(maximum, n_bins)
    assert found[0] == 0
    assert found[-1] == maximum
    assert (np.diff(found) > 0).all()


@settings(deadline=None)
@given(positive, st.integers(1, 60))
def test_an_edge_is_the_number_nearest_to_its_share_of_the_maximum(maximum, n_bins):
    exact = [Fraction(maximum) * k / n_bins for k in range(n_bins + 1)]
    assert edges(maximum, n_bins).tolist() == [float(edge) for edge in exact]


@pytest.mark.parametrize(("maximum", "k"), [(29, 25), (35, 45), (57, 25), (70, 45), (10, 5)])
def test_a_value_exactly_on_an_edge_belongs_to_the_bin_below(maximum, k):
    value = maximum * k / 50
    assert bin_of(value, edges(maximum, 50)) == k - 1


@settings(deadline=None, max_examples=300)
@given(positive, st.floats(2.0**-24, 1), st.integers(1, 60))
def test_a_value_lies_above_the_lower_and_at_most_at_the_upper_edge(maximum, share, n_bins):
    value = float(np.float32(maximum * share))
    found = edges(maximum, n_bins)
    k = bin_of(value, found)
    assert found[k] < value <= found[k + 1]


def test_the_smallest_positive_number_falls_into_the_first_bin_beside_any_maximum():
    smallest = float(np.float32(1e-45))
    assert bin_of(smallest, edges(3e38, 50)) == 0
    assert bin_of(smallest, edges(smallest, 50)) == 49


numbers = st.one_of(st.integers(-50, 50).map(float), st.floats(-(2.0**100), 2.0**100, width=32))


@settings(deadline=None, max_examples=200)
@given(st.lists(numbers, min_size=1, max_size=40), st.integers(1, 60), numbers)
def test_even_bins_reach_from_the_lowest_to_the_highest_and_hold_their_upper_edge(
    values, n_bins, shift
):
    found, counts = np.empty(n_bins + 1), np.empty(n_bins, np.int64)
    low, high = min(values) - shift, max(values) - shift
    even_histogram(np.array(values), shift, low, high, found, counts)
    assert (found[0], found[-1]) == (low, high)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(found, np.linspace(low, high, n_bins + 1))
    expected = [
        sum(lower < value - shift <= upper for value in values)
        for lower, upper in pairwise(found.tolist())
    ]
    expected[0] += sum(value - shift == low for value in values)
    assert counts.tolist() == expected
