"""How far raters agree: published and hand-worked values; how scores spread."""

from statistics import quantiles

import pytest

from featureviz.annotate.agreement import Spread, alpha

# Krippendorff 2011, section C: four observers, twelve units, some left out
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def judgements(rows):
    return [
        (rater, unit, value)
        for rater, row in enumerate(rows)
        for unit, value in enumerate(row)
        if value is not None
    ]


def test_alpha_is_the_published_one():
    assert alpha(judgements(PUBLISHED)) == pytest.approx(0.815, abs=5e-4)


def test_alpha_is_the_one_worked_by_hand():
    """Two raters, four units: (0, 0), (0, 7), (7, 7), (14, 14).

    Coincidences: o(0,0) = 2, o(0,7) = o(7,0) = 1, o(7,7) = 2, o(14,14) = 2; n = 3, 3, 2 of 8.
    Squared ordinal distances: 0-7: (3/2 + 3/2)^2 = 9; 7-14: (3/2 + 2/2)^2 = 6.25;
    0-14: (3/2 + 3 + 2/2)^2 = 30.25. Observed: 9. Expected: (3*3*9 + 3*2*6.25 + 3*2*30.25) / 7
    = (81 + 37.5 + 181.5) / 7 = 300 / 7. Alpha = 1 - 9 * 7 / 300 = 0.79.
    """
    assert alpha(judgements([[0, 0, 7, 14], [0, 7, 7, 14]])) == pytest.approx(0.79)


def test_alpha_depends_on_the_order_of_values_alone():
    stretched = [[value and value**2 for value in row] for row in PUBLISHED]
    assert alpha(judgements(stretched)) == pytest.approx(alpha(judgements(PUBLISHED)))


@pytest.mark.parametrize("rows", [[], [[1, 2, 3]], [[5, 5], [5, 5]], [[1, None], [None, 2]]])
def test_alpha_is_not_defined_for_one_rater_or_one_value(rows):
    assert alpha(judgements(rows)) is None


def test_full_agreement_is_one():
    assert alpha(judgements([[1, 7, 14], [1, 7, 14]])) == pytest.approx(1)


def test_a_spread_has_quartiles_and_counts():
    scores = [0, 0, 3, 8.5, 12, 14, 14]
    spread = Spread.of(scores, 14)
    assert [spread.lower, spread.median, spread.upper] == quantiles(scores, method="inclusive")
    assert (spread.n, spread.least, spread.most) == (7, 0, 14)
    assert spread.counts == (2, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2)


def test_nothing_has_no_spread():
    assert Spread.of([], 14) is None
