"""One pass over a block of latents: every statistic at once, a context at a time."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.histogram import bin_of
from featureviz.engine.sketches.moments import Moments, empty_moments
from featureviz.engine.sketches.selection import (
    Selection,
    empty_selection,
    latent_state,
    offer,
    priority,
)
from featureviz.engine.sketches.token_counts import COUNT, TOTAL, empty_token_counts
from featureviz.engine.threads import in_parts

_INTERVAL_SALT, _RANDOM_SALT = 1, 2  # two samples, drawn independently


class BlockSketch(NamedTuple):
    """Everything gathered of a block of latents; grows by one shard at a time, in shard order."""

    edges: npt.NDArray[np.float64]  # [n_latents, n_bins + 1] of the histogram
    histogram: npt.NDArray[np.int64]  # [n_latents, n_bins]
    moments: Moments
    token_counts: npt.NDArray[np.float64]  # [n_latents, d_vocab, 2]
    top: Selection  # one group
    intervals: Selection  # one group an interval, weakest first
    random: Selection  # one group


class Sizes(msgspec.Struct, frozen=True):
    """How much is kept of every latent."""

    n_bins: int  # of the histogram; a multiple of n_intervals
    n_intervals: int
    n_top: int
    n_per_interval: int
    n_random: int


def empty_sketch(edges: npt.NDArray[np.float64], d_vocab: int, sizes: Sizes) -> BlockSketch:
    """Before anything was seen; the edges come from the latents' maxima."""
    n = len(edges)
    return BlockSketch(
        edges,
        np.zeros((n, sizes.n_bins), np.int64),
        empty_moments(n),
        empty_token_counts(n, d_vocab),
        empty_selection(n, 1, sizes.n_top),
        empty_selection(n, sizes.n_intervals, sizes.n_per_interval),
        empty_selection(n, 1, sizes.n_random),
    )


class Stretch(NamedTuple):
    """What one shard holds of a block of latents, and where it stands in the corpus."""

    starts: npt.NDArray[np.int64]  # [n_latents + 1]
    places: npt.NDArray[np.uint32]  # context * n_ctx + position within the shard, ascending
    values: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.int32]  # [n_contexts * n_ctx] of the shard
    n_ctx: int
    shard: int
    origin: int  # place of the shard's first position in the corpus
    first_latent: int
    seed: int


def walk(sketch: BlockSketch, stretch: Stretch) -> None:
    """Add one shard to the sketch, context by context; shards come in their order."""

    def part(latents: slice) -> None:
        starts = stretch.starts[latents.start : latents.stop + 1]
        first = stretch.first_latent + latents.start
        _walk(_of(sketch, latents), stretch._replace(starts=starts, first_latent=first))

    in_parts(len(sketch.edges), part)


def _of(sketch: BlockSketch, latents: slice) -> BlockSketch:
    """Some of the latents; the same memory."""
    n_active, n_contexts, total, squares = sketch.moments
    top, intervals, random = (
        Selection(selection.keys[latents], selection.picks[latents])
        for selection in (sketch.top, sketch.intervals, sketch.random)
    )
    return BlockSketch(
        sketch.edges[latents],
        sketch.histogram[latents],
        Moments(n_active[latents], n_contexts[latents], total[latents], squares[latents]),
        sketch.token_counts[latents],
        top,
        intervals,
        random,
    )


@compiled
def _walk(sketch: BlockSketch, stretch: Stretch) -> None:
    moments, places, values = sketch.moments, stretch.places, stretch.values
    n_intervals: int = sketch.intervals.keys.shape[1]
    lowest = np.empty(n_intervals + 1)  # priority drawn by a context's choice, by group
    chosen = np.empty(n_intervals + 1, np.int64)  # that choice, an entry
    for latent in range(len(stretch.starts) - 1):
        edges, histogram = sketch.edges[latent], sketch.histogram[latent]
        tokens = sketch.token_counts[latent]
        top_keys, top_picks = sketch.top.keys[latent, 0], sketch.top.picks[latent, 0]
        drawn_keys, drawn_picks = sketch.intervals.keys[latent], sketch.intervals.picks[latent]
        random_keys, random_picks = sketch.random.keys[latent, 0], sketch.random.picks[latent, 0]
        state = latent_state(stretch.seed, stretch.first_latent + latent)
        start, stop = stretch.starts[latent], stretch.starts[latent + 1]
        sums = moments.total[latent], moments.total_squares[latent]
        entry = start
        while entry < stop:
            end = _context_end(places, entry, stop, stretch.n_ctx)
            sums, strongest = _sum(values, entry, end, sums)
            _count_tokens(tokens, stretch.tokens, places, values, entry, end)
            _count_and_draw(
                histogram, edges, places, values, entry, end, state, stretch.origin, lowest, chosen
            )
            first, size = entry - start, end - entry
            pick = (stretch.shard, strongest - start, first, size)
            offer(top_keys, top_picks, values[strongest], pick)
            for group in range(n_intervals):
                if lowest[group] < np.inf:
                    pick = (stretch.shard, chosen[group] - start, first, size)
                    offer(drawn_keys[group], drawn_picks[group], -lowest[group], pick)
            pick = (stretch.shard, chosen[n_intervals] - start, first, size)
            offer(random_keys, random_picks, -lowest[n_intervals], pick)
            moments.n_contexts[latent] += 1
            entry = end
        moments.n_active[latent] += stop - start
        moments.total[latent], moments.total_squares[latent] = sums


@compiled
def _context_end(places: npt.NDArray[np.uint32], entry: int, stop: int, n_ctx: int) -> int:
    """The entry after the last one of this entry's context."""
    limit = (places[entry] // n_ctx + 1) * n_ctx
    end = entry + 1
    while end < stop and places[end] < limit:
        end += 1
    return end


@compiled
def _sum(
    values: npt.NDArray[np.float32], entry: int, end: int, sums: tuple[float, float]
) -> tuple[tuple[float, float], int]:
    """The running sums with a context's activations added, and its strongest entry."""
    total, squares = sums
    strongest = entry
    for at in range(entry, end):
        value = np.float64(values[at])
        total += value
        squares += value * value
        if values[at] > values[strongest]:
            strongest = at
    return (total, squares), strongest


@compiled
def _count_tokens(
    counts: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int32],
    places: npt.NDArray[np.uint32],
    values: npt.NDArray[np.float32],
    entry: int,
    end: int,
) -> None:
    for at in range(entry, end):
        token = tokens[places[at]]
        counts[token, COUNT] += 1
        counts[token, TOTAL] += np.float64(values[at])


@compiled
def _count_and_draw(
    histogram: npt.NDArray[np.int64],
    edges: npt.NDArray[np.float64],
    places: npt.NDArray[np.uint32],
    values: npt.NDArray[np.float32],
    entry: int,
    end: int,
    state: np.uint64,
    origin: int,
    lowest: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.int64],
) -> None:
    """Count a context into the histogram; draw its choice for every interval and the sample."""
    n_intervals = len(lowest) - 1
    bins_each = len(histogram) // n_intervals
    lowest[:] = np.inf
    for at in range(entry, end):
        found = bin_of(np.float64(values[at]), edges)
        histogram[found] += 1
        place = origin + places[at]
        group = found // bins_each
        number = priority(state, place, _INTERVAL_SALT)
        if number < lowest[group]:
            lowest[group], chosen[group] = number, at
        number = priority(state, place, _RANDOM_SALT)
        if number < lowest[n_intervals]:
            lowest[n_intervals], chosen[n_intervals] = number, at
