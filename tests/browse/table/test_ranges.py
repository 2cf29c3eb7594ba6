"""Ranges as people type them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.browse.table.ranges import RangeError, holds, read_range, tidy

NUMBERS = st.floats(-1e6, 1e6)


def held(text, *numbers):
    return holds(read_range(text), np.array(numbers, float)).tolist()


def test_a_range_holds_its_ends():
    assert held("1..3", 0.99, 1, 2, 3, 3.01) == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">2", [False, False, True]),
        (">=2", [False, True, True]),
        ("≥ 2", [False, True, True]),
        ("<2", [True, False, False]),
        ("<=2", [True, True, False]),
        ("2", [False, True, False]),
        ("2..", [False, True, True]),
        ("..2", [True, True, False]),
        ("−1..2", [True, True, False]),
        ("1e0..2.0", [True, True, False]),
    ],
)
def test_every_way_of_writing_one_is_read(text, expected):
    assert held(text, 1, 2, 3) == expected


def test_percent_is_a_hundredth():
    found = read_range("0.1 % .. 1%")
    assert (found.low, found.high) == (0.001, 0.01)


def test_what_has_no_number_is_in_no_range():
    assert held(f"..{10**9}", math.nan, 1) == [False, True]


@pytest.mark.parametrize("text", ["", "..", "x", "1..2..3", "1,5", ">", "1%%", "nan", "inf"])
def test_what_is_no_range_is_told_with_a_way_to_mend_it(text):
    with pytest.raises(RangeError, match=r"write 0\.1%\.\.1%"):
        read_range(text)


@given(NUMBERS, NUMBERS, st.lists(NUMBERS))
def test_a_range_of_two_numbers_holds_what_lies_between(one, other, numbers):
    low, high = sorted((one, other))
    assert held(f"{low!r}..{high!r}", *numbers) == [low <= number <= high for number in numbers]


def test_tidying_is_done_once():
    assert tidy(" ≥ 0.1 % ") == tidy(tidy(" ≥ 0.1 % ")) == ">=0.1%"
