"""Ends, median and histogram of rows are those that numpy finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from featureviz.engine.sketches.spread import spread

rows = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 60)),
    elements=st.one_of(
        st.integers(-4, 4).map(float), st.floats(-(2.0**100), 2.0**100, width=32), st.just(0.0)
    ),
)


@settings(deadline=None, max_examples=200)
@given(rows, st.integers(1, 10), st.booleans())
def test_the_ends_come_in_order_ties_by_column(values, k, from_median):
    k = min(k, values.shape[1])
    found = spread(values, k, 5, from_median=from_median)
    assert found.top.tolist() == np.argsort(-values, axis=1, kind="stable")[:, :k].tolist()
    assert found.bottom.tolist() == np.argsort(values, axis=1, kind="stable")[:, :k].tolist()


@settings(deadline=None, max_examples=200)
@given(rows)
def test_the_shift_is_the_median_exactly_and_the_histogram_is_of_what_is_left(values):
    found = spread(values, 1, 7, from_median=True)
    doubles = values.astype(np.float64)
    medians = np.median(doubles, axis=1)
    assert found.shifts.tolist() == medians.tolist()
    shifted = doubles - medians[:, None]
    assert found.edges[:, 0].tolist() == shifted.min(axis=1).tolist()
    assert found.edges[:, -1].tolist() == shifted.max(axis=1).tolist()
    assert found.counts.sum(axis=1).tolist() == [values.shape[1]] * len(values)


@pytest.mark.parametrize("width", [8192, 8193])
def test_the_median_of_a_vocabulary_is_numpys(width):
    values = np.random.default_rng(0).standard_normal((4, width)).astype(np.float32)
    values[1, 0] = 1e6  # one far away: all others share a cell
    values[2] = np.round(values[2])
    found = spread(values, 10, 50, from_median=True)
    assert found.shifts.tolist() == np.median(values.astype(np.float64), axis=1).tolist()
    plain = spread(values, 10, 50, from_median=False)
    assert not plain.shifts.any()
    for row, edges, counts in zip(values, plain.edges, plain.counts, strict=True):
        upper_included = -np.histogram(-row.astype(np.float64), -edges[::-1])[0][::-1]
        assert np.abs(counts + upper_included).sum() <= 2  # numpy's first bin holds one end more


def test_rows_without_difference_stand_in_the_first_bin():
    found = spread(np.full((2, 9), 3, np.float32), 2, 5, from_median=True)
    assert found.shifts.tolist() == [3, 3]
    assert found.counts.tolist() == [[9, 0, 0, 0, 0]] * 2
