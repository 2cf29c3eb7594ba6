"""Numbers as people read them."""

import pytest

from featureviz.browse import formats


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.00361, "0.361 %"),
        (1 / 200_000, "0.0005 %"),
        (0.38, "38 %"),
        (0.052, "5.2 %"),
        (0.995, "99.50 %"),
        (0.99999999, ">99.99 %"),
    ],
)
def test_a_percentage_has_the_digits_it_needs(share, text):
    assert formats.percent(share).replace(formats.THIN, " ").replace("500", "500") in {
        text,
        text.replace("0.0005", "0.000500"),
    }


@pytest.mark.parametrize("exponent", range(1, 9))
def test_what_is_not_nothing_never_reads_as_nothing(exponent):
    assert formats.percent(10**-exponent).strip("0.% " + formats.THIN)


@pytest.mark.parametrize("exponent", range(1, 9))
def test_what_is_not_all_never_reads_as_all(exponent):
    assert not formats.percent(1 - 10**-exponent).startswith("100")


def test_thousands_are_thin_and_minus_is_a_minus():
    assert formats.whole(-1_260_096) == "−1\u202f260\u202f096"
    assert formats.fixed(-1234.5, 1) == "−1\u202f234.5"


def test_a_rounded_zero_has_no_sign():
    assert [formats.signed(value, 2) for value in (-0.001, 0.001, -0.5, 0.5)] == [
        "0.00",
        "0.00",
        "−0.50",
        "+0.50",
    ]


@pytest.mark.parametrize(("top", "text"), [(2.4, "0.123"), (24, "0.12"), (0.02, "0.12346")])
def test_activations_have_the_decimals_their_maximum_asks_for(top, text):
    assert formats.activation(0.123456, top) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (40, "40 s"), (360, "6 min")])
def test_times_left_are_round(seconds, text):
    assert formats.duration(seconds).replace(formats.THIN, " ") == text


@pytest.mark.parametrize(
    ("per_second", "text"), [(1204.4, "1 204"), (10, "10"), (9.87, "9.87"), (0.351, "0.35")]
)
def test_speeds_have_the_digits_they_need(per_second, text):
    assert formats.rate(per_second).replace(formats.THIN, " ") == text
