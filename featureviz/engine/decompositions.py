"""Bases of activation space fitted to activations: principal and independent components.

Batches come as float32 [n, d_in]; covariances, eigenvectors and everything d_in × d_in are float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from featureviz.engine.errors import DictionaryError

MOST_ROUNDS = 200  # of FastICA
TOLERANCE = 1e-4  # on |cos| between a component and itself a round before

_RANK = 1e-10  # of the largest variance: directions with less are rounding
_ROWS = 1 << 13  # of the whitened sample taken together

Array = npt.NDArray[np.float64]


class Spread(NamedTuple):
    """Mean and covariance of a set of vectors, and how many they are."""

    n: int
    mean: Array  # [d_in]
    covariance: Array  # [d_in, d_in]; the sum of squares is divided by n


@dataclass(frozen=True, slots=True)
class Basis:
    """c = filters (x - mean); x is mean + Σ c_i directions_i where there are d_in of them."""

    mean: Array  # [d_in]
    filters: Array  # [n, d_in]
    directions: Array  # [n, d_in]; of length one


@dataclass(frozen=True, slots=True)
class Independent:
    """What FastICA found."""

    basis: Basis
    rounds: int
    converged: bool


def spread_of(batches: Iterable[Float[Tensor, "n d_in"]]) -> Spread:
    """Mean and covariance in one pass, about the first batch's mean so that nothing cancels.

    Raises: DictionaryError when there are fewer than two vectors.
    """
    n, shift = 0, torch.empty(0)
    total, squares = torch.empty(0), torch.empty(0)
    for batch in batches:
        rows = batch.double()
        if n == 0:
            shift = rows.mean(0) if len(rows) else rows.new_zeros(rows.shape[1])
            total, squares = torch.zeros_like(shift), shift.new_zeros(len(shift), len(shift))
        rows = rows - shift
        total += rows.sum(0)
        squares += rows.T @ rows
        n += len(rows)
    if n < 2:
        raise DictionaryError(f"{n} counted tokens are too few to fit a basis to. Give more text.")
    mean = total / n
    covariance = squares / n - torch.outer(mean, mean)
    return Spread(n, (shift + mean).cpu().numpy(), covariance.cpu().numpy())


def principal(spread: Spread) -> Basis:
    """Principal components, most variance first; those without any are left out.

    Raises: DictionaryError where nothing varies.
    """
    axes, _ = _axes(spread)
    directions = axes * _signs(axes)[:, None]
    return Basis(spread.mean, directions, directions)


def independent(sample: Float[Tensor, "n d_in"], spread: Spread, seed: int) -> Independent:
    """Independent components by FastICA: symmetric, log cosh, whitened (Hyvärinen, Oja 2000).

    As many as there are principal components; the one that carries most variance comes first, and
    activations are measured along directions of length one. Raises: DictionaryError.
    """
    axes, variances = _axes(spread)
    deviations = np.sqrt(variances)
    whitening = torch.from_numpy((axes / deviations[:, None]).T).float().to(sample.device)
    mean = torch.from_numpy(spread.mean).float().to(sample.device)
    rotation, rounds, converged = _fast_ica((sample - mean) @ whitening, seed)
    written = rotation @ (axes * deviations[:, None])  # what one unit of variance writes
    lengths = np.linalg.norm(written, axis=1)
    order = np.argsort(-lengths, kind="stable")
    directions = (written / lengths[:, None])[order]
    filters = (rotation @ (axes / deviations[:, None]) * lengths[:, None])[order]
    signs = _signs(directions)[:, None]
    return Independent(
        Basis(spread.mean, filters * signs, directions * signs), rounds, bool(converged)
    )


def random_directions(d_in: int, seed: int) -> Basis:
    """As many directions as dimensions, uniform on the sphere."""
    drawn = np.random.default_rng(seed).standard_normal((d_in, d_in))
    directions = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return Basis(np.zeros(d_in), directions, directions)


def _axes(spread: Spread) -> tuple[Array, Array]:
    """Eigenvectors as rows and their variances, largest first; the null space is left out."""
    variances, vectors = np.linalg.eigh(spread.covariance)
    kept = np.flatnonzero(variances > _RANK * max(float(variances[-1]), 0.0))[::-1]
    if len(kept) == 0:
        raise DictionaryError("these activations do not vary: there is no basis to fit.")
    return vectors.T[kept], variances[kept]


def _signs(directions: Array) -> Array:
    """The sign of every row's largest coordinate: a basis is only known up to signs."""
    largest = np.abs(directions).argmax(axis=1)
    return np.sign(directions[np.arange(len(directions)), largest])


def _fast_ica(whitened: Float[Tensor, "n k"], seed: int) -> tuple[Array, int, bool]:
    """The rotation [k, k] whose rows are independent components of whitened vectors."""
    size = whitened.shape[1]
    rotation = _orthogonal(np.random.default_rng(seed).standard_normal((size, size)))
    for done in range(1, MOST_ROUNDS + 1):
        following = _orthogonal(_newton(whitened, rotation))
        change = np.abs(np.abs(np.sum(following * rotation, axis=1)) - 1).max()
        rotation = following
        if change < TOLERANCE:
            return rotation, done, True
    return rotation, MOST_ROUNDS, False


def _newton(whitened: Tensor, rotation: Array) -> Array:
    """One fixed-point step: E[z g(wz)] - E[g'(wz)] w with g = tanh, for all rows w at once."""
    rows = torch.from_numpy(rotation).float().to(whitened.device)
    pulled = torch.zeros(rows.shape, dtype=torch.float64, device=rows.device)
    slope = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
    for part in whitened.split(_ROWS):
        bent = torch.tanh(part @ rows.T)
        pulled += (bent.T @ part).double()
        slope += (1 - bent.square()).double().sum(0)
    n = len(whitened)
    return (pulled / n).cpu().numpy() - (slope / n).cpu().numpy()[:, None] * rotation


def _orthogonal(matrix: Array) -> Array:
    """The nearest orthogonal matrix, (M Mᵀ)^-½ M."""
    left, _, right = np.linalg.svd(matrix)
    return left @ right
