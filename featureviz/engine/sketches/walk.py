"""One pass over the activations of a block of latents: every statistic at once.

Latent after latent, each over the whole corpus, so that all that is counted of it stays in the
processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.histogram import bin_of, edges
from featureviz.engine.sketches.moments import Moments, empty_moments
from featureviz.engine.sketches.selection import (
    Selection,
    empty_selection,
    latent_state,
    offer,
    priority,
)
from featureviz.engine.sketches.shown import Shown, gather
from featureviz.engine.sketches.token_counts import (
    COUNT,
    TOTAL,
    Tally,
    TopTokens,
    empty_tally,
    empty_top_tokens,
    forget,
    keep_most_frequent,
)
from featureviz.engine.spool import Spool, Stretch
from featureviz.engine.threads import in_parts

_INTERVAL_SALT, _RANDOM_SALT = 1, 2  # two samples, drawn independently
_HELD = 1 << 22  # activations in memory at once: about 80 MB


class Growing(NamedTuple):
    """What is counted and chosen of a block of latents; the activations pass by once."""

    edges: npt.NDArray[np.float64]  # [n_latents, n_bins + 1] of the histogram
    histogram: npt.NDArray[np.int64]  # [n_latents, n_bins]
    moments: Moments
    tokens: TopTokens
    top: Selection  # one group
    intervals: Selection  # one group an interval, weakest first
    random: Selection  # one group


class BlockSketch(NamedTuple):
    """Everything gathered of a block of latents."""

    edges: npt.NDArray[np.float64]  # [n_latents, n_bins + 1] of the histogram
    histogram: npt.NDArray[np.int64]  # [n_latents, n_bins]
    moments: Moments
    tokens: TopTokens
    shown: Shown  # the examples chosen


class Sizes(msgspec.Struct, frozen=True):
    """How much is kept of every latent."""

    n_bins: int  # of the histogram; a multiple of n_intervals
    n_intervals: int
    n_top: int
    n_per_interval: int
    n_random: int


class Ground(NamedTuple):
    """What the activations stand on: the corpus, and what samples are drawn by."""

    tokens: npt.NDArray[np.int32]  # [n_contexts, n_ctx]
    d_vocab: int
    seed: int


def sketch_block(
    spool: Spool,
    latents: range,
    ground: Ground,
    sizes: Sizes,
    held: int = _HELD,
    report: Callable[[int], None] | None = None,
) -> BlockSketch:
    """Pass once over the activations of a block: its sketch, and the examples it chose.

    About `held` activations are in memory at once, however many the corpus has, and `held`
    changes no number. Only of a latent that has more than that are the activations read again.
    `report` hears how many latents are done.
    """
    bins = np.stack([edges(float(maximum), sizes.n_bins) for maximum in spool.maxima(latents)])
    sketch = _empty_sketch(bins, sizes)
    found = []
    for part in spool.cuts(latents, held):
        rows = slice(part.start - latents.start, part.stop - latents.start)
        found.append(_sketch_part(spool, part, ground, _of(sketch, rows), held))
        if report:
            report(rows.stop)
    return BlockSketch(*sketch[:4], Shown.of_parts(found))


def _sketch_part(spool: Spool, latents: range, ground: Ground, sketch: Growing, held: int) -> Shown:
    tally = empty_tally(ground.d_vocab) if len(latents) == 1 else None
    stretches = 0
    for stretch in spool.stretches(latents, held):
        _walk_stretch(sketch, stretch, ground, latents.start, tally)
        stretches += 1
    again = [stretch] if stretches == 1 else spool.stretches(latents, held)
    return gather(sketch.top, sketch.intervals, sketch.random, again, ground.tokens)


def _walk_stretch(
    sketch: Growing, stretch: Stretch, ground: Ground, first_latent: int, tally: Tally | None
) -> None:
    """Add a stretch to the sketch; `tally` holds the tokens of the only latent, or is none."""
    tokens = ground.tokens.reshape(-1)

    def part(rows: slice) -> None:
        own = stretch._replace(starts=stretch.starts[rows.start : rows.stop + 1])
        _walk(
            _of(sketch, rows),
            own,
            tally or empty_tally(ground.d_vocab),
            tokens,
            ground.tokens.shape[1],
            first_latent + rows.start,
            ground.seed,
        )

    in_parts(len(sketch.edges), part, stretch.starts)


def _empty_sketch(bins: npt.NDArray[np.float64], sizes: Sizes) -> Growing:
    n = len(bins)
    return Growing(
        bins,
        np.zeros((n, sizes.n_bins), np.int64),
        empty_moments(n),
        empty_top_tokens(n),
        empty_selection(n, 1, sizes.n_top),
        empty_selection(n, sizes.n_intervals, sizes.n_per_interval),
        empty_selection(n, 1, sizes.n_random),
    )


def _of(sketch: Growing, latents: slice) -> Growing:
    """Some of the latents; the same memory."""
    return Growing(
        sketch.edges[latents],
        sketch.histogram[latents],
        Moments._make(column[latents] for column in sketch.moments),
        TopTokens._make(column[latents] for column in sketch.tokens),
        Selection._make(column[latents] for column in sketch.top),
        Selection._make(column[latents] for column in sketch.intervals),
        Selection._make(column[latents] for column in sketch.random),
    )


@compiled
def _walk(
    sketch: Growing,
    stretch: Stretch,
    tally: Tally,
    tokens: npt.NDArray[np.int32],
    n_ctx: int,
    first_latent: int,
    seed: int,
) -> None:
    n_latents = len(stretch.starts) - 1
    n_intervals = sketch.intervals.keys.shape[1]
    interval_of = np.arange(sketch.histogram.shape[1]) * n_intervals // sketch.histogram.shape[1]
    moments = sketch.moments
    for latent in range(n_latents):
        entries = slice(stretch.starts[latent], stretch.starts[latent + 1])
        total, squares, n_contexts = _walk_latent(
            stretch.places[entries],
            stretch.values[entries],
            tokens,
            n_ctx,
            latent_state(seed, first_latent + latent),
            moments.n_active[latent],
            (moments.total[latent], moments.total_squares[latent], moments.n_contexts[latent]),
            sketch.edges[latent],
            sketch.histogram[latent],
            interval_of,
            sketch.top.keys[latent, 0],
            sketch.top.picks[latent, 0],
            sketch.intervals.keys[latent],
            sketch.intervals.picks[latent],
            sketch.random.keys[latent, 0],
            sketch.random.picks[latent, 0],
            tally.counts,
            tally.seen,
            tally.n_seen,
        )
        moments.n_active[latent] += stretch.starts[latent + 1] - stretch.starts[latent]
        moments.n_contexts[latent] = n_contexts
        moments.total[latent], moments.total_squares[latent] = total, squares
        kept, seen = sketch.tokens, tally.seen[: tally.n_seen[0]]
        keep_most_frequent(
            tally.counts, seen, kept.tokens[latent], kept.counts[latent], kept.totals[latent]
        )
        if n_latents > 1:
            forget(tally.counts, seen)
            tally.n_seen[0] = 0


@compiled
def _walk_latent(
    places: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    tokens: npt.NDArray[np.int32],
    n_ctx: int,
    state: np.uint64,
    before: int,
    sums: tuple[float, float, int],
    bin_edges: npt.NDArray[np.float64],
    histogram: npt.NDArray[np.int64],
    interval_of: npt.NDArray[np.int64],
    top_keys: npt.NDArray[np.float64],
    top_picks: npt.NDArray[np.int64],
    drawn_keys: npt.NDArray[np.float64],
    drawn_picks: npt.NDArray[np.int64],
    random_keys: npt.NDArray[np.float64],
    random_picks: npt.NDArray[np.int64],
    counts: npt.NDArray[np.float64],
    seen: npt.NDArray[np.int64],
    n_seen: npt.NDArray[np.int64],
) -> tuple[float, float, int]:
    """Count one latent's activations, the first of which is its `before`-th; its running sums."""
    total, squares, n_contexts = sums
    limit = context_first = 0
    for at in range(len(places)):
        place, value, entry = places[at], np.float64(values[at]), before + at
        if place >= limit:  # another context
            limit = (place // n_ctx + 1) * n_ctx
            context_first = entry
            n_contexts += 1
        total += value
        squares += value * value
        found = bin_of(value, bin_edges)
        histogram[found] += 1
        if value > top_keys[-1]:
            offer(top_keys, top_picks, value, entry, context_first)
        group = interval_of[found]
        key = -priority(state, place, _INTERVAL_SALT)
        if key > drawn_keys[group, -1]:
            offer(drawn_keys[group], drawn_picks[group], key, entry, context_first)
        key = -priority(state, place, _RANDOM_SALT)
        if key > random_keys[-1]:
            offer(random_keys, random_picks, key, entry, context_first)
        token = tokens[place]
        if counts[token, COUNT] == 0:
            seen[n_seen[0]] = token
            n_seen[0] += 1
        counts[token, COUNT] += 1
        counts[token, TOTAL] += value
    return total, squares, n_contexts
