"""Where the latents of a dictionary lie to each other: by the directions they write along.

Length says nothing about what a latent means, so rows of length one are laid out; a row of zeros
lies at the origin and belongs to the cluster it is drawn into.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from featureviz.dashboards.maps import LatentMap, Layout

_MOST_CLUSTERS = 12  # as many as can be told apart by eye
_LATENTS_A_CLUSTER = 8  # fewer clusters where the dictionary is small
_MOST_ROUNDS = 100
_NEIGHBOURS = 15  # UMAP's default

Matrix = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]


def latent_map(W_dec: Tensor, dictionary_digest: str, seed: int = 0) -> LatentMap:
    """The map of decoder rows [n_latents, d_in]."""
    rows = unit_rows(W_dec.detach().cpu().float().numpy())
    count = max(1, min(_MOST_CLUSTERS, len(rows) // _LATENTS_A_CLUSTER))
    return LatentMap(
        n_latents=len(rows),
        layouts=(_pca(rows), *_umap(rows, seed)),
        clusters=clusters(rows, count, seed).tobytes(),
        n_clusters=count,
        seed=seed,
        dictionary_digest=dictionary_digest,
    )


def unit_rows(rows: Rows) -> Rows:
    """Rows of length one; a row of zeros stays."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), np.float32)


def principal_axes(rows: Rows, count: int = 2) -> tuple[Matrix, tuple[float, ...]]:
    """Coordinates along the directions of most variance [n, count], and their shares of it.

    Exact: eigenvectors of the covariance, in float64. The sign of an axis is free: its largest
    coordinate by size is made positive, so that the same rows always lie the same way.
    """
    centred = rows.astype(np.float64)
    centred -= centred.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    total = max(float(values.clip(0).sum()), np.finfo(np.float64).tiny)
    shares = tuple(max(0.0, value) / total for value in values[::-1][:count].tolist())
    return centred @ axes, shares


def clusters(rows: Rows, count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Spherical k-means of unit rows [n, d]: the cluster of each [n], the largest numbered 0.

    First centres as k-means++ draws them (Arthur, Vassilvitskii 2007); then rows go to the centre
    they point along most, and centres to the mean direction of their rows (Dhillon, Modha 2001),
    until no row moves.
    """
    centres = _first_centres(rows, count, np.random.default_rng(seed))
    held = np.full(len(rows), -1)
    for _ in range(_MOST_ROUNDS):
        along = rows @ centres.T
        nearest = along.argmax(axis=1)
        if (nearest == held).all():
            break
        held = nearest
        centres = _centres(rows, held, along)
    return _largest_first(held, count)


def _first_centres(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Rows drawn one by one, by their squared distance from those drawn before."""
    chosen = [int(random.integers(len(rows)))]
    distance = np.full(len(rows), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.maximum(0, 2 - 2 * (rows @ rows[chosen[-1]])))
        weights = distance.astype(np.float64).cumsum()
        if weights[-1] <= 0:  # fewer distinct rows than clusters
            chosen.append(chosen[-1])
            continue
        place = np.searchsorted(weights, random.random() * weights[-1], side="right")
        chosen.append(min(int(place), len(rows) - 1))
    return rows[chosen]


def _centres(rows: Rows, held: npt.NDArray[np.int64], along: Rows) -> Rows:
    """The mean direction of each cluster; an empty one moves to the row that fits its own least."""
    sums = np.zeros((along.shape[1], rows.shape[1]))
    for cluster in range(len(sums)):
        members = rows[held == cluster]
        if len(members):
            sums[cluster] = members.sum(axis=0, dtype=np.float64)
        else:
            sums[cluster] = rows[along[np.arange(len(rows)), held].argmin()]
    return unit_rows(sums.astype(np.float32))


def _largest_first(held: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.uint8]:
    """The same clusters, numbered by size; of equal ones that with the first latent first."""
    sizes = np.bincount(held, minlength=count)
    firsts = [int(np.argmax(held == cluster)) for cluster in range(count)]
    ranked = sorted(range(count), key=lambda cluster: (-sizes[cluster], firsts[cluster]))
    return np.argsort(ranked).astype(np.uint8)[held]


def _pca(rows: Rows) -> Layout:
    points, shares = principal_axes(rows)
    return _layout("pca", points, shares, f"numpy {np.__version__}")


def _umap(rows: Rows, seed: int) -> tuple[Layout, ...]:
    """UMAP by cosine (McInnes et al. 2018), where the worker has umap-learn."""
    if find_spec("umap") is None or len(rows) <= _NEIGHBOURS:
        return ()
    import umap  # noqa: PLC0415 - takes seconds, and is not everywhere

    made = umap.UMAP(n_neighbors=_NEIGHBOURS, metric="cosine", random_state=seed, n_jobs=1)
    name = f"umap-learn {version('umap-learn')}"
    return (_layout("umap", made.fit_transform(rows), (), name),)


def _layout(name: str, points: Any, shares: tuple[float, ...], made_by: str) -> Layout:
    x, y = np.zeros((2, len(points)), "<f4")
    x[:] = points[:, 0]
    if points.shape[1] > 1:
        y[:] = points[:, 1]
    return Layout(name, x.tobytes(), y.tobytes(), shares, made_by)
