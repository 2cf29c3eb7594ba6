"""Where latents lie: axes against a singular value decomposition, clusters against planted ones."""

import numpy as np
import pytest
import torch

from featureviz.engine.latent_map import clusters, latent_map, principal_axes, unit_rows


def rows(n=60, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def planted(n_each=(30, 20, 10), d=16, noise=0.05, seed=0):
    """Rows around as many directions, shuffled; and which belongs to which."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.normal(size=(d, len(n_each))))[0].T
    truth = random.permutation(np.repeat(np.arange(len(n_each)), n_each))
    found = directions[truth] + noise * random.normal(size=(len(truth), d))
    return unit_rows(found.astype(np.float32)), truth


def test_the_axes_are_those_of_a_singular_value_decomposition():
    x = rows()
    points, shares = principal_axes(x)
    centred = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    for axis in range(2):
        expected = centred @ axes[axis]
        assert np.abs(points[:, axis]) == pytest.approx(np.abs(expected), abs=1e-9)
        assert shares[axis] == pytest.approx(singular[axis] ** 2 / (singular**2).sum())


def test_the_largest_coordinate_of_an_axis_is_positive_so_signs_are_no_matter_of_chance():
    x = rows()
    points, _ = principal_axes(x)
    axes = np.linalg.lstsq(x.astype(np.float64) - x.mean(axis=0), points, rcond=None)[0]
    for axis in axes.T:
        assert axis[np.abs(axis).argmax()] > 0
    turned, _ = principal_axes(x[:, ::-1].copy())
    assert turned == pytest.approx(points, abs=1e-9)


def test_length_of_a_row_says_nothing():
    W_dec = torch.from_numpy(rows())
    lengths = torch.linspace(0.5, 8, len(W_dec))[:, None]
    one, other = latent_map(W_dec, "d"), latent_map(W_dec * lengths, "d")
    assert one.clusters == other.clusters
    for here, there in zip(one.layouts[0].points, other.layouts[0].points, strict=True):
        assert here == pytest.approx(there, abs=1e-5)


def test_planted_clusters_are_found_the_largest_first():
    x, truth = planted()
    assert clusters(x, 3, seed=0).tolist() == truth.tolist()


def test_every_row_is_with_the_mean_direction_it_points_along_most():
    x = unit_rows(rows(200))
    held = clusters(x, 5, seed=3)
    sizes = np.bincount(held)
    assert sizes.tolist() == sorted(sizes, reverse=True)
    means = unit_rows(np.stack([x[held == cluster].sum(axis=0) for cluster in range(5)]))
    assert (x @ means.T).argmax(axis=1).tolist() == held.tolist()


def test_the_same_rows_and_seed_give_the_same_bytes():
    W_dec = torch.from_numpy(rows(300))
    assert latent_map(W_dec, "d", seed=4) == latent_map(W_dec.clone(), "d", seed=4)


def test_a_small_dictionary_has_few_clusters_and_a_large_one_no_more_than_can_be_told_apart():
    counts = {n: latent_map(torch.from_numpy(rows(n)), "d").n_clusters for n in (1, 8, 40, 300)}
    assert counts == {1: 1, 8: 1, 40: 5, 300: 12}


def test_rows_that_are_all_alike_or_zero_have_a_map_too():
    for W_dec in (torch.ones(20, 4), torch.zeros(20, 4), torch.eye(20)):
        found = latent_map(W_dec, "d")
        x, y = found.layouts[0].points
        assert np.isfinite([*x, *y]).all()
        assert len(found.cluster_of) == 20


def test_rows_of_one_dimension_lie_on_a_line():
    x, y = latent_map(torch.tensor([[1.0], [-2], [3]]), "d").layouts[0].points
    assert len({*x.tolist()}) == 2
    assert y.tolist() == [0, 0, 0]


def test_where_umap_is_installed_its_layout_stands_beside_and_is_the_same_each_time():
    """Neighbours by cosine stay together: planted clusters do not mix in the plane."""
    pytest.importorskip("umap", reason="umap-learn is optional; without it maps have PCA alone")
    x, truth = planted((40, 40), noise=0.02)
    found = latent_map(torch.from_numpy(x), "d", seed=9)
    assert found == latent_map(torch.from_numpy(x), "d", seed=9)
    assert [each.name for each in found.layouts] == ["pca", "umap"]
    points = np.stack(found.layouts[1].points, axis=1)
    means = np.stack([points[truth == cluster].mean(axis=0) for cluster in (0, 1)])
    nearest = np.linalg.norm(points[:, None] - means, axis=2).argmin(axis=1)
    assert nearest.tolist() == truth.tolist()
