"""The k best stay, the earliest of equals first; priorities are what they always were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from featureviz.engine.sketches.selection import (
    empty_selection,
    latent_state,
    mix,
    offer,
    priority,
)

WORD = 1 << 64
GOLDEN = 0x9E3779B97F4A7C15


def drawn(seed: int, latent: int, place: int, salt: int) -> float:
    return priority(np.uint64(latent_state(seed, latent)), place, salt)


def splitmix64(word: int) -> int:
    """A step of splitmix64 in whole numbers of any size."""
    word = (word + GOLDEN) % WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % WORD
    return word ^ (word >> 31)


def big_int_priority(seed: int, latent: int, place: int, salt: int) -> float:
    state = splitmix64((splitmix64(seed) + latent) % WORD)
    word = splitmix64((splitmix64((state + place) % WORD) + salt) % WORD)
    return (word >> 11) / 2**53


def test_the_generator_is_splitmix64_as_published():
    # The first numbers that the reference implementation gives from 1234567.
    first = [mix(np.uint64((1234567 + step * GOLDEN) % WORD)) for step in range(3)]
    assert first == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ((0, 0, 0, 1), 0.41232273959211374),
        ((7, 4095, 123_456, 2), 0.8581521510873972),
        ((2**32 + 1, 24_575, 2**40, 1), 0.1800116599253644),
    ],
)
def test_a_priority_is_the_number_it_has_always_been(arguments, value):
    assert drawn(*arguments) == value


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 2**31), st.integers(0, 2**45), st.integers(0, 5))
def test_priorities_equal_the_big_integer_ones(seed, latent, place, salt):
    found = drawn(seed, latent, place, salt)
    assert found == big_int_priority(seed, latent, place, salt)
    assert 0 <= found < 1


@pytest.mark.parametrize("varied", range(4))
def test_priorities_are_uniform_whichever_argument_counts_up(varied):
    numbers = []
    for number in range(2000):
        arguments = [3, 5, 7, 1]
        arguments[varied] = number
        numbers.append(drawn(*arguments))
    assert stats.kstest(numbers, "uniform").pvalue > 1e-4
    assert len(set(numbers)) == 2000


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4), max_size=15), st.integers(0, 5)
)
def test_the_best_of_each_context_and_the_k_largest_of_them_stay_equals_as_they_came(contexts, k):
    selection = empty_selection(2, 3, k)
    group_keys, group_picks = selection.keys[1, 2], selection.picks[1, 2]
    best, entry = [], 0
    for keys in contexts:
        first = entry
        for key in keys:
            offer(group_keys, group_picks, float(key), entry, first)
            entry += 1
        best.append((max(keys), first + keys.index(max(keys))))
    ranked = sorted(best, key=lambda one: (-one[0], one[1]))[:k]
    kept = group_picks[group_picks >= 0].tolist()
    assert kept == [pick for _, pick in ranked]
    assert group_keys[: len(kept)].tolist() == [key for key, _ in ranked]
    assert (selection.picks[0] < 0).all()
    assert (selection.picks[1, :2] < 0).all()
