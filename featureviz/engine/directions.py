"""What latents write, two runs' beside one another: cosines and correlations of logit weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featureviz.engine.compiled import compiled
from featureviz.engine.precompute import Bench
from featureviz.engine.sketches.ranks import place

_STRIP = 1 << 13  # rows turned into float64 at once

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def cosines(rows: Tensor, others: Tensor) -> Matrix:
    """Cosine of every pair of rows [n, n_others]; NaN beside a row of zeros."""
    unit = _wide(rows) / _lengths(rows)[:, None]
    found = np.empty((len(rows), len(others)))
    for strip in _strips(len(others)):
        np.divide(unit @ _wide(others[strip]).T, _lengths(others[strip]), out=found[:, strip])
    return np.clip(found, -1, 1, out=found)


def nearest(rows: Tensor, others: Tensor, alive: npt.NDArray[np.bool_]) -> Indices:
    """For every row the one of `others` it points along most, among the alive [n]; -1: none."""
    found = np.full(len(rows), -1)
    for strip in _strips(len(rows)):
        along = np.where(alive, cosines(rows[strip], others), np.nan)
        known = ~np.isnan(along).all(axis=1)
        found[strip][known] = np.nanargmax(along[known], axis=1)
    return found


@dataclass(frozen=True, eq=False)
class Directions:
    """Where a run's latents point, and what they write."""

    space: tuple[str, str]  # model and hook point: in another one a direction means another thing
    W_dec: Tensor  # [d_sae, d_in]
    writes: Tensor | None  # [d_sae, d_model] into the residual stream; None: nothing linearly
    W_U: Tensor  # [d_model, d_vocab]

    @classmethod
    def of(cls, bench: Bench) -> Directions:
        """Read from a run's model and dictionary. Raises: EngineError when they changed."""
        subject, W_dec = bench.subject, bench.dictionary.W_dec.detach()
        to_residual = subject.to_residual(bench.plan.hook)
        return cls(
            space=(bench.plan.model_digest, bench.plan.hook),
            W_dec=W_dec.cpu(),
            writes=None if to_residual is None else to_residual(W_dec).detach().cpu(),
            W_U=subject.W_U.cpu(),
        )

    @cached_property
    def lengths(self) -> Matrix:
        """Of every direction [d_sae]; of one that is all zeros NaN."""
        return np.concatenate([_lengths(self.W_dec[strip]) for strip in _strips(len(self.W_dec))])

    @cached_property
    def unit(self) -> Tensor:
        """Directions of length one, as near as float32 has them [d_sae, d_in]."""
        return (self.W_dec / torch.from_numpy(self.lengths)[:, None]).float()


def pair_cosines(mine: Directions, latents: Indices, theirs: Directions, others: Indices) -> Matrix:
    """Cosine of the directions of pairs [n]; NaN beside zeros, and between two spaces."""
    found = np.full(len(latents), np.nan)
    if mine.space != theirs.space:
        return found
    for strip in _strips(len(latents)):
        one, other = latents[strip], others[strip]
        rows, columns = _wide(mine.W_dec[torch.from_numpy(one)]), theirs.W_dec
        products = np.einsum("kd,kd->k", rows, _wide(columns[torch.from_numpy(other)]))
        found[strip] = products / (mine.lengths[one] * theirs.lengths[other])
    return np.clip(found, -1, 1, out=found)


def leading_cosines(
    mine: Directions, latents: range, theirs: Directions, kept: int
) -> tuple[Indices, Indices]:
    """Pairs, latent and other, of the largest cosines above 0 of every latent; ties by index.

    Of a run beside itself, none with itself. Chosen roughly (float32), with all that rounding could
    leave out, then exactly.
    """
    if mine.space != theirs.space:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rough = (mine.unit[latents.start : latents.stop] @ theirs.unit.T).numpy()
    if mine is theirs:
        rough[np.arange(len(latents)), np.asarray(latents)] = np.nan
    margin = 4 * np.float32(mine.W_dec.shape[1]) * np.finfo(np.float32).eps
    rows, others = np.divmod(_at_least(rough, _kept_largest(rough, kept) - margin), rough.shape[1])
    exact = pair_cosines(mine, rows + latents.start, theirs, others)
    order = np.lexsort((others, -exact, rows))
    order = order[exact[order] > 0]
    rows, others = rows[order], others[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return rows[rank < kept] + latents.start, others[rank < kept]


class LogitCorrelations:
    """Pearson, over the vocabulary, of what latents of two runs add to the logits.

    With W_U centred over the vocabulary, the covariance of two latents' weights is r_i G r_j,
    where G = W_U W_Uᵀ has the size of the residual stream: no pair's weights are written out.
    """

    def __init__(self, mine: Directions, theirs: Directions) -> None:
        self._mine, self._theirs = mine.writes, theirs.writes
        if self._mine is None or self._theirs is None:
            return
        within = _covariance(mine.W_U, mine.W_U)
        self._spread = _spread_of_logits(self._mine, within)
        if theirs is mine:
            self._shared, self._their_spread = within, self._spread
        else:
            self._shared = _covariance(mine.W_U, theirs.W_U)
            theirs_within = _covariance(theirs.W_U, theirs.W_U)
            self._their_spread = _spread_of_logits(self._theirs, theirs_within)

    def of(self, latents: range, rows: Indices, others: Indices) -> Matrix:
        """Of pairs, one of `latents` by its row and one of the others [n]; NaN: one writes none."""
        found = np.full(len(rows), np.nan)
        if self._mine is None or self._theirs is None:
            return found
        own = slice(latents.start, latents.stop)
        along, spread = _wide(self._mine[own]) @ self._shared, self._spread[own]
        for strip in _strips(len(rows)):
            row, other = rows[strip], others[strip]
            theirs = _wide(self._theirs[torch.from_numpy(other)])
            shared = np.einsum("kd,kd->k", along[row], theirs)
            found[strip] = shared / (spread[row] * self._their_spread[other])
        return np.clip(found, -1, 1, out=found)


def _wide(rows: Tensor) -> Matrix:
    return rows.double().numpy()


def _lengths(rows: Tensor) -> Matrix:
    """The length of every row [n]; of a row of zeros NaN."""
    wide = _wide(rows)
    found = np.sqrt(np.einsum("kd,kd->k", wide, wide))
    return np.where(found > 0, found, np.nan)


def _covariance(a: Tensor, b: Tensor) -> Matrix:
    """Sum over the vocabulary of the centred columns' products [d_a, d_b]."""
    means = (a.double().mean(dim=1, keepdim=True), b.double().mean(dim=1, keepdim=True))
    total = torch.zeros(len(a), len(b), dtype=torch.double)
    for strip in _strips(a.shape[1]):
        total += (a[:, strip].double() - means[0]) @ (b[:, strip].double() - means[1]).T
    return total.numpy()


def _spread_of_logits(writes: Tensor, within: Matrix) -> Matrix:
    """Root of the summed squares of every latent's centred logit weights [n]; NaN where it is 0."""
    found = np.empty(len(writes))
    for strip in _strips(len(writes)):
        rows = _wide(writes[strip])
        found[strip] = np.einsum("kd,kd->k", rows @ within, rows)
    return np.sqrt(np.where(found > 0, found, np.nan))


def _strips(n: int) -> Iterator[slice]:
    return (slice(first, min(first + _STRIP, n)) for first in range(0, n, _STRIP))


@compiled
def _kept_largest(figures: npt.NDArray[np.float32], kept: int) -> npt.NDArray[np.float32]:
    """Of every row its kept-th largest figure, or 0 where fewer are above that."""
    best, columns = np.empty(kept, np.float32), np.empty(kept, np.int64)
    found = np.empty(len(figures), np.float32)
    for row in range(len(figures)):
        best[:] = 0
        for column in range(figures.shape[1]):
            if figures[row, column] > best[-1]:
                place(best, columns, figures[row, column], column)
        found[row] = best[-1]
    return found


@compiled
def _at_least(figures: npt.NDArray[np.float32], least: npt.NDArray[np.float32]) -> Indices:
    """Flat places of figures that reach what is least of their row."""
    places = [0][:0]
    for row in range(len(figures)):
        for column in range(figures.shape[1]):
            if figures[row, column] >= least[row]:
                places.append(row * figures.shape[1] + column)
    return np.array(places)
