"""Bases fitted to activations: planted axes and sources are what comes out."""

import numpy as np
import pytest
import torch

from featureviz.engine.decompositions import (
    MOST_ROUNDS,
    independent,
    principal,
    random_directions,
    spread_of,
)
from featureviz.engine.errors import DictionaryError
from tests.oracles.superposition import Toy, draw, train

MEAN = np.array([5.0, -3.0, 0.0, 100.0])
DEVIATIONS = np.array([4.0, 2.0, 1.0, 0.5])
SCIKIT_LEARN = [
    [0.864179, 0.431897, -0.258185],
    [-0.489247, 0.320598, 0.811082],
    [-0.151354, 0.766721, -0.623884],
]


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def planted(n=20_000):
    """Gaussian vectors whose principal axes are the columns of a rotation."""
    axes = rotation(4)
    scores = np.random.default_rng(1).normal(size=(n, 4)) * DEVIATIONS
    return torch.from_numpy((MEAN + scores @ axes.T).astype(np.float32)), axes.T


def cosines(left, right):
    """|cos| between rows of one and rows of the other."""
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (left, right)]
    return np.abs(unit[0] @ unit[1].T)


@pytest.mark.parametrize("size", [1, 7, 20_000])
def test_mean_and_covariance_are_those_of_all_batches_together(size):
    x, _ = planted(2_000 if size == 1 else 20_000)
    spread = spread_of(x.split(size))
    assert spread.n == len(x)
    assert spread.mean == pytest.approx(x.double().mean(0).numpy(), rel=1e-12, abs=1e-12)
    expected = np.cov(x.double().numpy().T, bias=True)
    assert spread.covariance == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_large_mean_cancels_no_variance():
    x = torch.tensor([[1e4 + 1, 0.0], [1e4 - 1, 0.0], [1e4 + 1, 2.0], [1e4 - 1, 2.0]])
    assert spread_of([x[:1], x[1:]]).covariance.tolist() == [[1, 0], [0, 1]]


def test_batches_without_vectors_change_nothing():
    x, _ = planted(100)
    with_empty = spread_of([x[:0], x[:50], x[:0], x[50:]])
    assert with_empty.covariance == pytest.approx(spread_of([x]).covariance, rel=1e-12)


def test_planted_axes_are_the_principal_components_in_order_of_variance():
    x, axes = planted()
    basis = principal(spread_of(x.split(4096)))
    assert np.diag(cosines(basis.directions, axes)).min() > 0.999
    codes = (x.double().numpy() - basis.mean) @ basis.filters.T
    assert codes.std(axis=0) == pytest.approx(DEVIATIONS, rel=0.02)


def test_principal_codes_are_uncorrelated_and_give_the_vectors_back():
    x, _ = planted()
    basis = principal(spread_of([x]))
    codes = (x.double().numpy() - basis.mean) @ basis.filters.T
    covariance = np.cov(codes.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-6
    assert basis.mean + codes @ basis.directions == pytest.approx(x.numpy(), abs=1e-4)


@pytest.mark.parametrize("fit", ["pca", "ica"])
def test_every_directions_largest_coordinate_is_positive_and_its_length_one(fit):
    x, _ = planted()
    spread = spread_of([x])
    basis = principal(spread) if fit == "pca" else independent(x, spread, 0).basis
    largest = np.abs(basis.directions).argmax(axis=1)
    assert (basis.directions[np.arange(4), largest] > 0).all()
    assert np.linalg.norm(basis.directions, axis=1) == pytest.approx(np.ones(4))


def test_dimensions_that_never_vary_have_no_component():
    x, _ = planted()
    flat = torch.cat([x, torch.full((len(x), 2), 3.0)], dim=1)
    basis = principal(spread_of([flat]))
    assert basis.directions.shape == (4, 6)
    assert np.abs(basis.directions[:, 4:]).max() < 1e-9


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_tokens_are_refused(rows):
    with pytest.raises(DictionaryError, match=f"{rows} counted tokens are too few"):
        spread_of([torch.ones(rows, 3)])


def test_activations_that_do_not_vary_are_refused():
    with pytest.raises(DictionaryError, match="do not vary"):
        principal(spread_of([torch.ones(5, 3)]))


def mixed(seed=1, n_features=5):
    """Sparse features written along directions that are not orthogonal."""
    generator = torch.Generator().manual_seed(seed)
    toy = Toy(torch.randn(n_features, n_features, generator=generator), torch.zeros(n_features))
    features = draw(20_000, 0.8, seed=3, n_features=n_features)
    return toy, features, toy.hidden(features)


def test_planted_sources_are_the_independent_components_and_not_the_principal_ones():
    toy, features, x = mixed()
    spread = spread_of(x.split(999))
    found = independent(x, spread, seed=0)
    assert found.converged
    assert cosines(found.basis.directions, toy.W.T.numpy()).max(axis=0).min() > 0.999
    codes = (x.double().numpy() - found.basis.mean) @ found.basis.filters.T
    match = np.abs(np.corrcoef(codes.T, features.numpy().T)[:5, 5:])
    assert match.max(axis=0).min() > 0.999
    assert sorted(match.argmax(axis=0)) == list(range(5))
    blind = principal(spread).directions
    assert cosines(blind, toy.W.T.numpy()).max(axis=0).min() < 0.9


def test_independent_components_are_measured_along_directions_and_give_the_vectors_back():
    _, _, x = mixed()
    basis = independent(x, spread_of([x]), seed=0).basis
    assert basis.filters @ basis.directions.T == pytest.approx(np.eye(5), abs=1e-6)
    codes = (x.double().numpy() - basis.mean) @ basis.filters.T
    assert basis.mean + codes @ basis.directions == pytest.approx(x.numpy(), abs=1e-4)
    deviations = codes.std(axis=0)
    assert deviations.tolist() == sorted(deviations, reverse=True)


def test_a_pair_of_opposite_features_is_one_independent_component():
    """The toy model of superposition pairs features; a component's ends are the two of them."""
    toy = train(0.9)
    x = toy.hidden(draw(20_000, 0.9, seed=3))
    directions = independent(x, spread_of([x]), seed=0).basis.directions
    features = (toy.W[:, toy.represented] / toy.W[:, toy.represented].norm(dim=0)).numpy()
    along = directions @ features
    assert np.abs(along).max(axis=0).min() > 0.999
    paired = [(row > 0.999).any() and (row < -0.999).any() for row in along]
    assert sum(paired) >= 3


def test_independent_components_are_those_of_scikit_learn():
    """FastICA of scikit-learn 1.9.1, tol=1e-8, on the same vectors; order and signs ours."""
    t = np.arange(2000)
    burst = np.abs(np.sin(0.113 * t)) ** 3.1 * ((t % 7) == 0)
    sources = np.stack(
        [
            np.sin(0.37 * t) ** 9,
            np.sign(np.sin(0.113 * t)) * burst,
            ((t * 7919) % 101 / 50 - 1) ** 5,
        ]
    )
    mixing = np.array([[1.0, 0.5, -0.3], [0.2, -1.0, 0.8], [-0.6, 0.4, 1.0]])
    x = torch.from_numpy((sources.T @ mixing + [0.5, -1, 2]).astype(np.float32))
    found = independent(x, spread_of([x]), seed=0).basis.directions
    assert found == pytest.approx(np.array(SCIKIT_LEARN), abs=1e-3)


def test_the_same_seed_gives_the_same_components_and_another_the_same_up_to_rounding():
    _, _, x = mixed()
    spread = spread_of([x])
    one, again, other = (independent(x, spread, seed).basis for seed in (0, 0, 1))
    assert np.array_equal(one.directions, again.directions)
    assert cosines(one.directions, other.directions).max(axis=1).min() > 0.999


def test_what_does_not_converge_is_said():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32))
    found = independent(x, spread_of([x]), seed=0)
    assert (found.rounds, found.converged) == (MOST_ROUNDS, False)


def test_random_directions_are_uniform_on_the_sphere_and_chosen_by_the_seed():
    basis = random_directions(400, seed=0)
    assert np.linalg.norm(basis.directions, axis=1) == pytest.approx(np.ones(400))
    products = (basis.directions @ basis.directions.T)[np.triu_indices(400, 1)]
    assert abs(products.mean()) < 4 / 400 / np.sqrt(2)  # four standard errors around 0
    assert products.std() == pytest.approx(1 / np.sqrt(400), rel=0.02)
    assert not basis.mean.any()
    assert np.array_equal(random_directions(400, seed=0).directions, basis.directions)
    assert not np.array_equal(random_directions(400, seed=1).directions, basis.directions)
