"""What latents write beside one another: every figure against the weights written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.engine.directions import (
    Directions,
    LogitCorrelations,
    cosines,
    leading_cosines,
    nearest,
    pair_cosines,
)

KEPT = 3


def test_a_direction_of_zeros_has_no_cosine():
    found = cosines(torch.tensor([[3.0, 4.0], [0, 0]]), torch.tensor([[6.0, 8.0], [4, -3]]))
    assert found[0].tolist() == pytest.approx([1, 0])
    assert np.isnan(found[1]).all()


def pointing(rows, space=("A", "hook")):
    return Directions(space, torch.tensor(rows), None, torch.eye(2))


def largest(cosine, kept):
    """Brute force: places of the largest above 0, ties by index."""
    order = sorted((place for place, value in enumerate(cosine) if value > 0),
                   key=lambda place: (-cosine[place], place))  # fmt: skip
    return order[:kept]


rows_of_three = st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=1, max_size=12)


@settings(deadline=None)
@given(rows_of_three, rows_of_three)
def test_those_a_latent_points_along_most_are_the_largest_cosines(rows, columns):
    mine, theirs = (pointing(np.float32(each).tolist()) for each in (rows, columns))
    latents, others = leading_cosines(mine, range(len(rows)), theirs, KEPT)
    every = pair_cosines(
        mine,
        np.repeat(np.arange(len(rows)), len(columns)),
        theirs,
        np.tile(np.arange(len(columns)), len(rows)),
    ).reshape(len(rows), len(columns))
    assert every == pytest.approx(cosines(mine.W_dec, theirs.W_dec), nan_ok=True)
    for latent, row in enumerate(every):
        assert others[latents == latent].tolist() == largest(row, KEPT)


def test_rounding_leaves_out_none_that_points_along_more():
    """Closer to one another than float32 can tell."""
    other = torch.tensor([[1.0, k * 1e-5] for k in range(20)])
    latents, others = leading_cosines(
        pointing([[1.0, 0.0]]), range(1), replace(pointing([[0.0]]), W_dec=other), KEPT
    )
    assert (latents.tolist(), others.tolist()) == ([0, 0, 0], [0, 1, 2])


def test_no_latent_points_along_itself():
    mine = pointing([[1.0, 0], [1, 1], [0, 1]])
    latents, others = leading_cosines(mine, range(1, 3), mine, KEPT)
    assert (latents.tolist(), others.tolist()) == ([1, 1, 2], [0, 2, 1])


def test_in_two_spaces_a_direction_means_two_things():
    one, other = pointing([[1.0, 0]]), pointing([[1.0, 0]], space=("A", "elsewhere"))
    assert [len(each) for each in leading_cosines(one, range(1), other, KEPT)] == [0, 0]
    assert np.isnan(pair_cosines(one, np.array([0]), other, np.array([0]))).all()


def test_a_latent_is_part_of_the_alive_one_it_points_along_most():
    parents = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    children = torch.tensor([[2.0, 1.9], [5, 0.1], [0, 0]])
    assert nearest(children, parents, np.array([True, True, True])).tolist() == [2, 0, -1]
    assert nearest(children, parents, np.array([True, True, False])).tolist() == [0, 0, -1]
    assert nearest(children, parents, np.array([False, False, False])).tolist() == [-1, -1, -1]


def test_logit_correlation_is_that_of_the_weights_written_out():
    random = torch.Generator().manual_seed(0)
    sides = [
        Directions(
            space=(model, "hook"),
            W_dec=torch.zeros(5, 4),
            writes=torch.randn(5, 4, generator=random),
            W_U=torch.randn(4, 9000, generator=random) + 3,
        )
        for model in "AB"
    ]
    one, other = ((side.writes.double() @ side.W_U.double()).numpy() for side in sides)
    pairs = np.array([[0, 0, 2, 1], [4, 1, 4, 3]])  # the first of latents 2 to 4
    for theirs, weights in ((sides[1], other), (sides[0], one)):
        found = LogitCorrelations(sides[0], theirs).of(range(2, 5), *pairs)
        expected = [np.corrcoef(one[2 + row], weights[at])[0, 1] for row, at in pairs.T]
        assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_what_writes_no_logits_has_no_logit_correlation():
    writing = Directions(("A", "x"), torch.ones(1, 2), torch.tensor([[1.0, 2]]), torch.eye(2))
    for other in (replace(writing, writes=None), replace(writing, writes=torch.zeros(1, 2))):
        pair = range(1), np.array([0]), np.array([0])
        assert np.isnan(LogitCorrelations(writing, other).of(*pair)).all()
