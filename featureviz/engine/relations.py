"""How the latents of two runs over the same corpus go together.

No text is read again: both runs left the activations of every place in their spools. All sums are
taken in corpus order, so they are the same however the work was cut, and whichever run comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featureviz.dashboards.relations import Related, Relations
from featureviz.dashboards.slices import LatentSlices, read_slices
from featureviz.dashboards.store import write_pack
from featureviz.engine.compiled import compiled, prefetch
from featureviz.engine.errors import RelationError
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench, Report, shard_path
from featureviz.engine.threads import in_parts

_KEPT = 8  # latents by each figure
_CHILDREN_KEPT = 20
_CELLS = 1 << 22  # pairs counted at once, 16 bytes each
_KEPT_ENTRIES = 1 << 24  # activations kept by place from block to block, 8 bytes each
_STRIP = 1 << 13  # rows turned into float64 at once
_AHEAD, _ASKED, _LINE = 4, 48, 16  # places, and of one so many entries; 16 are a line of memory
_NOISE = 1e-12  # of the mean square: a smaller variance cannot be told from rounding

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def relation_path(run: Path, other_key: str, number: int) -> Path:
    """Where the relations of a block of a run's latents to another run are."""
    return run / "relations" / other_key / f"{number:05d}.pack"


class Placed(NamedTuple):
    """The activations of a shard in corpus order."""

    starts: npt.NDArray[np.int64]  # [n_places + 1]; place p has entries starts[p]:starts[p + 1]
    latents: npt.NDArray[np.int32]  # ascending within a place
    values: npt.NDArray[np.float32]


class Tally(NamedTuple):
    """Counts and sums of latents over the corpus."""

    n_active: npt.NDArray[np.int64]  # [n_latents]
    total: npt.NDArray[np.float64]  # [n_latents]
    squares: npt.NDArray[np.float64]  # [n_latents]


class Meetings(NamedTuple):
    """What latents of one run have in common with all of another."""

    n_both: npt.NDArray[np.int64]  # [n, d_other] places where both are active
    products: npt.NDArray[np.float64]  # [n, d_other] summed over them


def part_of(tally: Tally, latents: range) -> Tally:
    """The counts and sums of some of the latents."""
    part = slice(latents.start, latents.stop)
    return Tally(tally.n_active[part], tally.total[part], tally.squares[part])


def by_place(slices: LatentSlices, n_places: int) -> Placed:
    """Sort the activations of all latents of a shard by place (a counting sort)."""
    starts = np.zeros(n_places + 1, np.int64)
    np.cumsum(np.bincount(slices.places, minlength=n_places), out=starts[1:])
    latents = np.empty(len(slices.places), np.int32)
    values = np.empty(len(slices.places), np.float32)
    _scatter(slices, starts[:-1].copy(), latents, values)
    return Placed(starts, latents, values)


def empty_tally(n_latents: int) -> Tally:
    """Before anything was seen."""
    return Tally(np.zeros(n_latents, np.int64), np.zeros(n_latents), np.zeros(n_latents))


def pearson(both: Meetings, mine: Tally, theirs: Tally, n: int) -> Matrix:
    """Correlation of every pair over `n` places [n_mine, n_theirs]; NaN beside a constant one.

    Source: Bricken et al. 2023, "universality"; in running sums.
    """
    spread = np.sqrt(_spread(mine, n))[:, None] * np.sqrt(_spread(theirs, n))
    shared = n * both.products - mine.total[:, None] * theirs.total
    return np.clip(shared / spread, -1, 1)


def jaccard(both: Meetings, mine: Tally, theirs: Tally) -> Matrix:
    """Of the places where either is active, the share where both are; 0 where none is."""
    either = mine.n_active[:, None] + theirs.n_active - both.n_both
    return both.n_both / np.maximum(either, 1)


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


class Relating:
    """A run beside another, or beside itself; what both blocks need is read once."""

    def __init__(self, bench: Bench, other: Plan) -> None:
        """Raises: RelationError when their places do not mean the same."""
        _check_alike(bench.plan, other)
        self._plan, self._other, self._store = bench.plan, other, bench.store
        self._bench = bench
        self._is_self = bench.plan.key == other.key
        self._kept: dict[int, Placed] = {}  # by shard

    def block(self, number: int, report: Report) -> None:
        """Write the relations of one block of latents; doing it twice writes the same bytes."""
        for plan in (self._plan, self._other):
            _check_spool(plan, self._store)
        latents = self._plan.block_latents(number)
        size = max(1, _CELLS // self._other.d_sae)
        found: list[Relations] = []
        for first in range(latents.start, latents.stop, size):
            part = range(first, min(first + size, latents.stop))
            found += self._relations(part, _onward(report, len(found)))
        folder = self._store / "runs" / self._plan.key
        write_pack(relation_path(folder, self._other.key, number), found)
        report(len(latents))

    def _relations(self, latents: range, report: Report) -> list[Relations]:
        both = self._meetings(latents, report)
        mine = part_of(self._tally, latents)
        n_tokens = self._bench.corpus.facts.n_tokens
        figures = _Figures(
            latents=latents,
            n_both=both.n_both,
            correlation=pearson(both, mine, self._other_tally, n_tokens),
            jaccard=jaccard(both, mine, self._other_tally),
            cosine=self._cosines(latents),
            logits=self._logits,
        )
        if self._is_self:
            figures.leave_out_themselves()
        return self._records(figures)

    def _records(self, figures: _Figures) -> list[Relations]:
        families = [self._family(index) for index in figures.latents]
        asked = [
            others
            for row, (leading, (parent, children)) in enumerate(
                zip(figures.leading(), families, strict=True)
            )
            for others in (leading, parent, figures.along(row, children)[:_CHILDREN_KEPT])
        ]
        found = iter(figures.related(asked))
        return [
            Relations(
                index=index,
                related=next(found),
                parent=next(iter(next(found)), None),
                children=next(found),
                n_children=len(children),
            )
            for index, (_, children) in zip(figures.latents, families, strict=True)
        ]

    def _family(self, index: int) -> tuple[Indices, Indices]:
        """The latent's parent, as one index or none, and its children."""
        nobody = np.empty(0, np.int64)
        if self._parents is None:
            return nobody, nobody
        if self._plan.d_sae < self._other.d_sae:
            return nobody, np.flatnonzero(self._parents == index)
        return self._parents[index : index + 1][self._parents[index : index + 1] >= 0], nobody

    def _meetings(self, latents: range, report: Report) -> Meetings:
        shape = (len(latents), self._other.d_sae)
        both = Meetings(np.zeros(shape, np.int64), np.zeros(shape))
        mine, theirs = _shards(self._plan, self._store), _shards(self._other, self._store)
        for number in range(self._plan.n_shards):
            own = read_slices(mine[number], latents.start, latents.stop)
            n_places = len(self._plan.shard_contexts(number)) * self._plan.context_size
            placed = self._placed(number, theirs[number], n_places)
            in_parts(len(latents), _meeting(own, placed, both))
            report(len(latents) * number // self._plan.n_shards)
        return both

    def _placed(self, number: int, shard: Path, n_places: int) -> Placed:
        """A shard of the other run by place; kept for the next block where all are small."""
        if number in self._kept:
            return self._kept[number]
        placed = by_place(read_slices(shard, 0, self._other.d_sae), n_places)
        if self._other_tally.n_active.sum() <= _KEPT_ENTRIES:
            self._kept[number] = placed
        return placed

    def _cosines(self, latents: range) -> Matrix:
        mine, theirs = self._directions
        if mine.space != theirs.space:
            return np.full((len(latents), self._other.d_sae), np.nan)
        return cosines(mine.W_dec[latents.start : latents.stop], theirs.W_dec)

    @cached_property
    def _parents(self) -> Indices | None:
        """The parent of every latent of the larger dictionary; None: nothing is split."""
        mine, theirs = self._directions
        sizes = self._plan.d_sae, self._other.d_sae
        if mine.space != theirs.space or sizes[0] == sizes[1]:
            return None
        alive = self._tally.n_active > 0, self._other_tally.n_active > 0
        if sizes[0] < sizes[1]:
            found = nearest(theirs.W_dec, mine.W_dec, alive[0])
            return np.where(alive[1], found, -1)
        found = nearest(mine.W_dec, theirs.W_dec, alive[1])
        return np.where(alive[0], found, -1)

    @cached_property
    def _logits(self) -> LogitCorrelations:
        return LogitCorrelations(*self._directions)

    @cached_property
    def _directions(self) -> tuple[Directions, Directions]:
        mine = Directions.of(self._bench)
        return mine, mine if self._is_self else Directions.of(Bench(self._other, self._store))

    @cached_property
    def _tally(self) -> Tally:
        return _tally_of(self._plan, self._store)

    @cached_property
    def _other_tally(self) -> Tally:
        return self._tally if self._is_self else _tally_of(self._other, self._store)


@dataclass(frozen=True, eq=False)
class _Figures:
    """Every figure of a stretch of latents with all of another run."""

    latents: range
    n_both: npt.NDArray[np.int64]  # [n, d_other], as those below
    correlation: Matrix
    jaccard: Matrix
    cosine: Matrix
    logits: LogitCorrelations

    def leading(self) -> list[Indices]:
        """Of every latent those that lead by any figure, ascending."""
        every = (self.correlation, self.jaccard, self.cosine)
        leading = np.concatenate([_largest(figures, _KEPT) for figures in every], axis=1)
        return [np.unique(row[row >= 0]) for row in leading]

    def along(self, row: int, others: Indices) -> Indices:
        """These latents, those that point most along one of the stretch first."""
        return others[np.argsort(-self.cosine[row, others], kind="stable")]

    def leave_out_themselves(self) -> None:
        """Let no latent be related to itself."""
        rows, own = np.arange(len(self.latents)), np.asarray(self.latents)
        for figures in (self.correlation, self.jaccard, self.cosine):
            figures[rows, own] = np.nan

    def related(self, asked: Sequence[Indices]) -> Iterator[tuple[Related, ...]]:
        """The records of others, in their order; three lists of others for every latent."""
        sizes = np.array([len(others) for others in asked])
        others = np.concatenate(asked)
        rows = np.repeat(np.arange(len(asked)) // 3, sizes)
        columns = (
            others.tolist(),
            self.n_both[rows, others].tolist(),
            _known(self.correlation[rows, others]),
            self.jaccard[rows, others].tolist(),
            _known(self.cosine[rows, others]),
            _known(self.logits.of(self.latents, rows, others)),
        )
        records = tuple(map(Related, *columns))
        ends = np.cumsum(sizes)
        return map(records.__getitem__, map(slice, (ends - sizes).tolist(), ends.tolist()))


def _onward(report: Report, before: int) -> Report:
    """Report what is done after `before` others."""
    return lambda done: report(before + done)


def _check_alike(plan: Plan, other: Plan) -> None:
    if plan.corpus_digest != other.corpus_digest:
        raise RelationError(
            f"The runs {plan.key[:8]} and {other.key[:8]} read different corpora; only latents "
            "over the same text can be compared. Compute one of them over the other's corpus."
        )
    if plan.shard_size != other.shard_size:
        raise RelationError(
            f"The runs {plan.key[:8]} and {other.key[:8]} cut their corpus into shards of "
            f"{plan.shard_size} and {other.shard_size} contexts: another version planned one of "
            "them. Compute it anew."
        )


def _check_spool(plan: Plan, store: Path) -> None:
    if not all(path.exists() for path in _shards(plan, store)):
        raise RelationError(
            f"The activations of the run {plan.key[:8]} were deleted; resuming computes them again."
        )


def _shards(plan: Plan, store: Path) -> list[Path]:
    return [shard_path(store / "runs" / plan.key, number) for number in range(plan.n_shards)]


def _tally_of(plan: Plan, store: Path) -> Tally:
    tally = empty_tally(plan.d_sae)
    for path in _shards(plan, store):
        slices = read_slices(path, 0, plan.d_sae)
        _count(slices.starts, slices.values, tally)
    return tally


def _meeting(own: LatentSlices, placed: Placed, both: Meetings) -> Callable[[slice], None]:
    """The work of one thread: it alone writes its rows."""

    def work(rows: slice) -> None:
        starts = own.starts[rows.start : rows.stop + 1]
        _meet(starts, own.places, own.values, placed, both.n_both[rows], both.products[rows])

    return work


def _spread(tally: Tally, n: int) -> Matrix:
    """n² times the variance of every latent; NaN where it is constant."""
    mean_square = n * tally.squares
    spread = mean_square - tally.total**2
    return np.where(spread > _NOISE * mean_square, spread, np.nan)


def _known(figures: Matrix) -> list[float | None]:
    return [None if np.isnan(figure) else figure for figure in figures.tolist()]


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
def _scatter(
    slices: LatentSlices,
    cursor: npt.NDArray[np.int64],
    latents: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
) -> None:
    for latent in range(len(slices.starts) - 1):
        for entry in range(slices.starts[latent], slices.starts[latent + 1]):
            place = slices.places[entry]
            at = cursor[place]
            cursor[place] = at + 1
            latents[at] = latent
            values[at] = slices.values[entry]


@compiled
def _count(starts: npt.NDArray[np.int64], values: npt.NDArray[np.float32], tally: Tally) -> None:
    for latent in range(len(starts) - 1):
        tally.n_active[latent] += starts[latent + 1] - starts[latent]
        for entry in range(starts[latent], starts[latent + 1]):
            value = np.float64(values[entry])
            tally.total[latent] += value
            tally.squares[latent] += value * value


@compiled
def _largest(figures: Matrix, kept: int) -> Indices:
    """Of every row where its largest figures above 0 are [n, kept], ties by index; -1: no more."""
    found = np.full((len(figures), kept), -1)
    best = np.empty(kept)
    for row in range(len(figures)):
        best[:] = 0.0
        for other in range(figures.shape[1]):
            figure = figures[row, other]
            if figure > best[-1]:
                at = kept - 1
                while at and best[at - 1] < figure:
                    best[at], found[row, at] = best[at - 1], found[row, at - 1]
                    at -= 1
                best[at], found[row, at] = figure, other
    return found


@compiled
def _ask_for(placed: Placed, first: int) -> None:
    for at in range(first, first + _ASKED, _LINE):
        prefetch(placed.latents, at)
        prefetch(placed.values, at)


@compiled
def _meet(  # noqa: PLR0913, PLR0917 - compiled loops take array by array
    starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.uint32],
    values: npt.NDArray[np.float32],
    placed: Placed,
    n_both: npt.NDArray[np.int64],
    products: npt.NDArray[np.float64],
) -> None:
    """One latent after another: the line of sums it adds to stays in the cache.

    Places are far from one another in memory: unless it is asked for ahead, waiting for them takes
    longer than the sums.
    """
    end_of_all = len(places)
    for row in range(len(starts) - 1):
        counts, sums = n_both[row], products[row]
        for entry in range(starts[row], starts[row + 1]):
            if entry + _AHEAD < end_of_all:
                _ask_for(placed, placed.starts[places[entry + _AHEAD]])
            place, value = places[entry], np.float64(values[entry])
            first, end = placed.starts[place], placed.starts[place + 1]
            latents, others = placed.latents[first:end], placed.values[first:end]
            for at in range(len(latents)):
                latent = np.uint32(latents[at])  # cannot count from the end: half the time
                counts[latent] += 1
                sums[latent] += value * np.float64(others[at])
