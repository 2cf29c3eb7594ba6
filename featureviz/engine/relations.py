"""How the latents of two runs over the same corpus go together.

No text is read again: both runs left the activations of every place in their spools. All sums are
taken in corpus order, so they are the same however the work was cut, and whichever run comes first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.relations import Related, Relations
from featureviz.dashboards.slices import LatentSlices, read_slices
from featureviz.dashboards.store import write_pack
from featureviz.engine.compiled import compiled, prefetch
from featureviz.engine.compose import cut
from featureviz.engine.directions import (
    Directions,
    Indices,
    LogitCorrelations,
    Matrix,
    leading_cosines,
    nearest,
    pair_cosines,
)
from featureviz.engine.errors import RelationError
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench, Report, shard_path
from featureviz.engine.sketches.ranks import place
from featureviz.engine.threads import in_parts

_KEPT = 8  # latents by each figure
_CHILDREN_KEPT = 20
_CELLS = 1 << 20  # pairs counted at once, 16 bytes each: they stay in a processor's cache
_AHEAD, _ASKED, _LINE = 4, 48, 16  # places, and of one so many entries; 16 are a line of memory
_NOISE = 1e-12  # of the mean square: a smaller variance cannot be told from rounding


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
    """Correlation of pairs over `n` places; NaN beside a constant one. Shapes go together.

    Source: Bricken et al. 2023, "universality"; in running sums.
    """
    spread = _root_spread(mine, n) * _root_spread(theirs, n)
    shared = n * both.products - mine.total * theirs.total
    return np.clip(shared / spread, -1, 1)


def jaccard(both: Meetings, mine: Tally, theirs: Tally) -> Matrix:
    """Of the places where either of a pair is active, the share where both are; 0: none is."""
    either = mine.n_active + theirs.n_active - both.n_both
    return both.n_both / np.maximum(either, 1)


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
        pointing = self._pointing(latents)
        size = max(1, _CELLS // self._other.d_sae)
        shape = (min(size, len(latents)), self._other.d_sae)
        room = Meetings(np.empty(shape, np.int64), np.empty(shape))
        found: list[Relations] = []
        for first in range(latents.start, latents.stop, size):
            part = range(first, min(first + size, latents.stop))
            both = Meetings(room.n_both[: len(part)], room.products[: len(part)])
            self._meet(part, both, _onward(report, len(found)))
            found += self._relations(part, both, pointing[len(found) : len(found) + len(part)])
        folder = self._store / "runs" / self._plan.key
        write_pack(relation_path(folder, self._other.key, number), found)
        report(len(latents))

    def _pointing(self, latents: range) -> list[Indices]:
        """Of each of some latents those that point most along it."""
        mine, theirs = self._directions
        owners, others = leading_cosines(mine, latents, theirs, _KEPT)
        return np.split(others, np.searchsorted(owners, latents)[1:])

    def _relations(
        self, latents: range, both: Meetings, pointing: Sequence[Indices]
    ) -> list[Relations]:
        figures = _Figures(
            latents=latents,
            both=both,
            mine=_of(self._tally, slice(latents.start, latents.stop)),
            theirs=self._other_tally,
            n_tokens=self._bench.corpus.facts.n_tokens,
            directions=self._directions,
            logits=self._logits,
        )
        families = [self._family(index) for index in latents]
        children = figures.along([children for _, children in families])
        asked = [
            others
            for leading, (parent, _), own in zip(
                figures.leading(pointing), families, children, strict=True
            )
            for others in (leading, parent, own[:_CHILDREN_KEPT])
        ]
        found = figures.related(asked)
        return [
            Relations(
                index=index,
                related=next(found),
                parent=next(iter(next(found)), None),
                children=next(found),
                n_children=len(own),
            )
            for index, own in zip(latents, children, strict=True)
        ]

    def _family(self, index: int) -> tuple[Indices, Indices]:
        """The latent's parent, as one index or none, and its children."""
        nobody = np.empty(0, np.int64)
        if self._parents is None:
            return nobody, nobody
        if self._plan.d_sae < self._other.d_sae:
            return nobody, np.flatnonzero(self._parents == index)
        return self._parents[index : index + 1][self._parents[index : index + 1] >= 0], nobody

    def _meet(self, latents: range, both: Meetings, report: Report) -> None:
        """Fill in what latents have in common with all of the other run."""
        both.n_both[:], both.products[:] = 0, 0
        mine, theirs = _shards(self._plan, self._store), _shards(self._other, self._store)
        for number in range(self._plan.n_shards):
            own = read_slices(mine[number], latents.start, latents.stop)
            n_places = len(self._plan.shard_contexts(number)) * self._plan.context_size
            placed = self._placed(number, theirs[number], n_places)
            in_parts(len(latents), _meeting(own, placed, both))
            report(len(latents) * number // self._plan.n_shards)

    def _placed(self, number: int, shard: Path, n_places: int) -> Placed:
        """A shard of the other run by place: sorted once, then read from a file of this process."""
        if number not in self._kept:
            placed = by_place(read_slices(shard, 0, self._other.d_sae), n_places)
            self._kept[number] = _on_disk(placed, self._store)
        return self._kept[number]

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
        if self._is_self:
            return mine, mine
        return mine, Directions.of(Bench(self._other, self._store, self._bench.device))

    @cached_property
    def _tally(self) -> Tally:
        return _tally_of(self._plan, self._store)

    @cached_property
    def _other_tally(self) -> Tally:
        return self._tally if self._is_self else _tally_of(self._other, self._store)


@dataclass(frozen=True, eq=False)
class _Figures:
    """How a stretch of latents goes together with all of another run."""

    latents: range
    both: Meetings
    mine: Tally
    theirs: Tally
    n_tokens: int
    directions: tuple[Directions, Directions]
    logits: LogitCorrelations

    def leading(self, pointing: Sequence[Indices]) -> list[Indices]:
        """Of every latent those that lead by any figure, ascending; not itself."""
        mine, theirs = self.directions
        firing = _leading(
            self.both,
            self.mine,
            self.theirs,
            (_root_spread(self.mine, self.n_tokens), _root_spread(self.theirs, self.n_tokens)),
            self.n_tokens,
            self.latents.start if mine is theirs else -len(self.latents),
        )
        return [
            np.unique(np.concatenate([row[row >= 0], own]))
            for row, own in zip(firing, pointing, strict=True)
        ]

    def along(self, asked: Sequence[Indices]) -> list[Indices]:
        """Some others of every latent, those that point most along it first."""
        rows, others = _pairs(asked)
        cosine = self._cosine(rows, others)
        sizes = [len(own) for own in asked]
        return np.split(others[np.lexsort((-cosine, rows))], np.cumsum(sizes)[:-1])

    def related(self, asked: Sequence[Indices]) -> Iterator[tuple[Related, ...]]:
        """The records of others, in their order; three lists of others for every latent."""
        lists, others = _pairs(asked)
        rows = lists // 3
        both = Meetings(self.both.n_both[rows, others], self.both.products[rows, others])
        mine, theirs = _of(self.mine, rows), _of(self.theirs, others)
        columns = (
            others.tolist(),
            both.n_both.tolist(),
            _known(pearson(both, mine, theirs, self.n_tokens)),
            jaccard(both, mine, theirs).tolist(),
            _known(self._cosine(rows, others)),
            _known(self.logits.of(self.latents, rows, others)),
        )
        return cut(map(Related, *columns), np.array([len(own) for own in asked]))

    def _cosine(self, rows: Indices, others: Indices) -> Matrix:
        mine, theirs = self.directions
        return pair_cosines(mine, rows + self.latents.start, theirs, others)


def _pairs(asked: Sequence[Indices]) -> tuple[Indices, Indices]:
    """The number of the list each of the others is in, and the others."""
    return np.repeat(np.arange(len(asked)), [len(own) for own in asked]), np.concatenate(asked)


def _of(tally: Tally, latents: slice | Indices) -> Tally:
    """The counts and sums of some of the latents."""
    return Tally(tally.n_active[latents], tally.total[latents], tally.squares[latents])


def _on_disk(placed: Placed, folder: Path) -> Placed:
    """The same arrays in files without a name, gone with the process however it ends."""
    return Placed(*(_as_file(column, folder) for column in placed))


def _as_file(column: npt.NDArray[Any], folder: Path) -> npt.NDArray[Any]:
    if not len(column):
        return column
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(column.data)  # tofile would not say that a disk is full
        file.flush()
        return np.asarray(np.memmap(file, column.dtype, mode="c"))


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


def _root_spread(tally: Tally, n: int) -> Matrix:
    """The standard deviation of every latent, `n` times; NaN where it is constant."""
    mean_square = n * tally.squares
    spread = mean_square - tally.total**2
    return np.sqrt(np.where(spread > _NOISE * mean_square, spread, np.nan))


def _known(figures: Matrix) -> list[float | None]:
    found: list[float | None] = figures.tolist()
    for at in np.flatnonzero(np.isnan(figures)).tolist():
        found[at] = None
    return found


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
def _leading(  # noqa: PLR0913, PLR0917 - compiled loops take array by array
    both: Meetings,
    mine: Tally,
    theirs: Tally,
    spreads: tuple[Matrix, Matrix],
    n: int,
    first: int,
) -> Indices:
    """Of every latent the others of the largest correlations, then of the largest Jaccard indices.

    [n_latents, 2 * _KEPT], those above 0, ties by index, -1: no more; as `pearson` and `jaccard`
    have them. The first latent is number `first` of the others, and is not its own.
    """
    found = np.full((len(both.n_both), 2 * _KEPT), -1)
    best = np.empty(2 * _KEPT)
    for row in range(len(found)):
        best[:] = 0.0
        total, spread, n_active = mine.total[row], spreads[0][row], mine.n_active[row]
        for other in range(both.n_both.shape[1]):
            if other == first + row:
                continue
            shared = n * both.products[row, other] - total * theirs.total[other]
            if shared > 0:  # most are not, and a division takes long
                correlation = min(shared / (spread * spreads[1][other]), 1.0)
                place(best[:_KEPT], found[row, :_KEPT], correlation, other)
            n_both = both.n_both[row, other]
            if n_both:
                share = n_both / (n_active + theirs.n_active[other] - n_both)
                place(best[_KEPT:], found[row, _KEPT:], share, other)
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
