"""When two numbers agree."""

import math

import pytest

from featureviz.verify.findings import Finding, count, relative


@pytest.mark.parametrize(
    ("page", "again", "ok"),
    [
        *((1.0, 1.0, True), (1.0, 1.05, True), (1.0, 1.2, False), (math.nan, 1.0, False)),
        *((None, None, True), (None, 0.0, False), (0.0, None, False), (math.inf, math.inf, False)),
    ],
)
def test_numbers_agree_within_the_tolerance(page, again, ok):
    assert Finding(0, "x", page, again, 0.1).ok is ok


def test_a_count_may_differ_by_two_or_one_in_ten_thousand():
    assert count(0, "n", 12, 10).ok
    assert not count(0, "n", 13, 10).ok
    assert count(0, "n", 100_009, 100_000).ok
    assert not count(0, "n", 100_011, 100_000).ok


def test_a_relative_tolerance_follows_the_size():
    assert relative(0, "x", 1000.05, 1000.0).ok
    assert not relative(0, "x", 1000.2, 1000.0).ok
    assert not relative(0, "x", 1e-3, 0.0).ok
