"""Densities and intervals where other tools' numbers are wrong."""

import math

import numpy as np
import pytest

from featureviz.engine.plan import SIZES
from featureviz.engine.sketches.walk import Sizes
from tests.engine.dense import Case, dashboards


def case_of(values, counted=None):
    """One latent on one context after another, of eight positions each."""
    rows = np.zeros(-(-len(values) // 8) * 8, np.float32)
    rows[: len(values)] = values
    inside = np.arange(len(rows)) < len(values)
    if counted is not None:
        inside[: len(values)] &= counted
    shape = -1, 8
    return Case(
        rows.reshape(*shape, 1), inside.reshape(shape), np.zeros(len(rows), np.int32).reshape(shape)
    )


def test_the_density_and_histogram_are_those_of_the_methods_case():
    found = dashboards(case_of([0, 0, 0.5, 0, 1, 0, 0, 2, 0, 0]), Sizes(2, 2, 5, 5, 5))[0]
    assert found.density == 0.3
    assert math.log10(found.density) == pytest.approx(-0.5229, abs=1e-4)
    assert found.histogram.counts == (2, 1)


def test_a_density_is_a_ratio_of_exact_counts_however_small():
    values = np.zeros(200_000, np.float32)
    values[137_421] = 1
    found = dashboards(case_of(values))[0]
    assert (found.n_active, found.n_tokens) == (1, 200_000)
    assert found.density == 1 / 200_000


def test_masked_positions_stand_in_no_denominator():
    """Two of ten positions are masked, one of them active: 2 of 8, not 2 or 3 of 10."""
    counted = np.array([False, True, True, True, True, True, True, True, True, False])
    found = dashboards(case_of([9, 0, 3, 0, 0, 0, 4, 0, 0, 0], counted))[0]
    assert (found.n_active, found.n_tokens, found.density) == (2, 8, 0.25)
    assert found.max_activation == 4
    assert sum(interval.n_active for interval in found.intervals) == 2


def test_border_values_are_counted_once_and_silent_tokens_in_no_interval():
    values = [0.0] * 90 + [float(level) for level in range(1, 11)]
    found = dashboards(case_of(values), SIZES)[0]
    assert [interval.n_active for interval in found.intervals] == [1] * 10
    lowest = found.intervals[-1]
    assert (lowest.lower, lowest.n_active) == (0.0, 1)
    assert all(example.activation > 0 for one in found.intervals for example in one.examples)
