"""The few largest of many numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.engine.sketches.ranks import place

FIGURES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5, float("inf"), float("nan")]), max_size=30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None)  # the first call compiles
@given(figures=FIGURES, n_kept=st.integers(1, 8))
def test_the_largest_are_kept_equal_ones_in_the_order_they_came(dtype, figures, n_kept):
    best, numbers = np.full(n_kept, -1, dtype), np.full(n_kept, -1)
    for number, figure in enumerate(figures):
        place(best, numbers, figure, number)
    ranked = sorted(
        (-figure, number) for number, figure in enumerate(figures) if not np.isnan(figure)
    )[:n_kept]
    n = len(ranked)
    assert list(zip((-best[:n]).tolist(), numbers[:n].tolist(), strict=True)) == ranked
    assert numbers[n:].tolist() == [-1] * (n_kept - n)
