"""What a row shows of a dashboard, against plain arithmetic."""

import math
import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.catalog.glances import N_BARS, glance, shape, variation
from featureviz.dashboards.schema import Histogram
from tests.factories import TEXTS, make_dashboard, tokenised

TEXT = tokenised(TEXTS)


def counted(*counts):
    return Histogram(tuple(map(float, range(len(counts) + 1))), counts)


def board(index=0, n_latents=4):
    return make_dashboard(index, TEXT, n_latents)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=50))
def test_variation_is_the_standard_deviation_in_units_of_the_mean(values):
    made = msgspec.structs.replace(
        board(),
        n_active=len(values),
        sum_activation=math.fsum(values),
        sum_squared_activation=math.fsum(value * value for value in values),
    )
    expected = statistics.pstdev(values) / statistics.fmean(values)
    assert variation(made) == pytest.approx(expected, abs=1e-6)


def test_a_dead_latent_has_no_variation():
    assert variation(board(3)) is None


@given(st.lists(st.integers(0, 10**6), max_size=120))
def test_a_shape_has_few_bars_and_none_where_nothing_is(counts):
    bars = shape(counted(*counts))
    width = math.ceil(len(counts) / N_BARS) or 1
    assert len(bars) <= N_BARS
    assert [bar > 0 for bar in bars] == [
        any(counts[at : at + width]) for at in range(0, len(counts), width)
    ]
    assert max(bars, default=0) == (255 if any(counts) else 0)


def test_heights_of_a_shape_are_logarithmic():
    low, middle, high = shape(counted(1, 31, 1023))
    assert (low, middle, high) == (26, 128, 255)


def test_a_glance_takes_the_first_tokens_and_the_strongest_place():
    made = board()
    found = glance(made, str)
    assert found["fires_on"] == [str(row.token) for row in made.fires_on[:5]]
    assert found["promotes"] == [str(row.token) for row in made.shown_logits.top[:5]]
    assert (found["top_context"], found["top_position"]) == (
        made.top[0].context, made.top[0].position,
    )  # fmt: skip


def test_a_latent_that_is_only_negative_shows_where_it_is_most_so():
    negative = board()
    made = msgspec.structs.replace(board(3), negative=negative)
    assert glance(made, str)["top_context"] == negative.top[0].context
