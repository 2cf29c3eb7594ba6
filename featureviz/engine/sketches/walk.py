"""One pass over a block of latents: every statistic at once, a context at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.histogram import bin_of
from featureviz.engine.sketches.moments import Moments, empty_moments, moments_update
from featureviz.engine.sketches.selection import (
    Place,
    Selection,
    empty_selection,
    priority,
    selection_offer,
)
from featureviz.engine.sketches.token_counts import (
    TokenCounts,
    empty_token_counts,
    token_counts_update,
)

_INTERVAL_SALT, _RANDOM_SALT = 1, 2  # two samples, drawn independently


class BlockSketch(NamedTuple):
    """Everything gathered of a block of latents; grows by one shard at a time, in shard order."""

    edges: npt.NDArray[np.float64]  # [n_latents, n_bins + 1] of the histogram
    histogram: npt.NDArray[np.int64]  # [n_latents, n_bins]
    moments: Moments
    token_counts: TokenCounts
    top: Selection  # one group
    intervals: Selection  # one group an interval, weakest first
    random: Selection  # one group


class Sizes(NamedTuple):
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


class _Draw(NamedTuple):
    """A context's choice for every sample it may enter: intervals, then the random sample."""

    lowest: npt.NDArray[np.float64]  # [n_intervals + 1]; inf: nothing to offer
    entries: npt.NDArray[np.int64]  # [n_intervals + 1]


@compiled
def walk(sketch: BlockSketch, stretch: Stretch) -> None:
    """Add one shard to the sketch, context by context; shards come in their order."""
    groups = sketch.intervals.keys.shape[1] + 1
    draw = _Draw(np.empty(groups, np.float64), np.empty(groups, np.int64))
    for latent in range(len(stretch.starts) - 1):
        entry = stretch.starts[latent]
        while entry < stretch.starts[latent + 1]:
            end = _context_end(stretch, latent, entry)
            strongest = _count(sketch, stretch, latent, entry, end, draw)
            _offer(sketch, stretch, latent, entry, end, strongest, draw)
            entry = end


@compiled
def _context_end(stretch: Stretch, latent: int, entry: int) -> int:
    context = stretch.places[entry] // stretch.n_ctx
    end = entry + 1
    while end < stretch.starts[latent + 1] and stretch.places[end] // stretch.n_ctx == context:
        end += 1
    return end


@compiled
def _count(
    sketch: BlockSketch, stretch: Stretch, latent: int, entry: int, end: int, draw: _Draw
) -> int:
    """Count a context's activations, draw its choices, return its strongest entry."""
    edges = sketch.edges[latent]
    n_intervals = len(draw.lowest) - 1
    bins_each = (len(edges) - 1) // n_intervals
    draw.lowest[:] = np.inf
    strongest = entry
    sketch.moments.n_contexts[latent] += 1
    for at in range(entry, end):
        value = np.float64(stretch.values[at])
        if stretch.values[at] > stretch.values[strongest]:
            strongest = at
        moments_update(sketch.moments, latent, value)
        token_counts_update(sketch.token_counts, latent, stretch.tokens[stretch.places[at]], value)
        where = bin_of(value, edges[len(edges) - 1], edges)
        sketch.histogram[latent, where] += 1
        place = stretch.origin + stretch.places[at]
        number = stretch.first_latent + latent
        _draw(draw, where // bins_each, at, priority(stretch.seed, number, place, _INTERVAL_SALT))
        _draw(draw, n_intervals, at, priority(stretch.seed, number, place, _RANDOM_SALT))
    return strongest


@compiled
def _draw(draw: _Draw, group: int, entry: int, number: float) -> None:
    if number < draw.lowest[group]:
        draw.lowest[group] = number
        draw.entries[group] = entry


@compiled
def _offer(  # noqa: PLR0913
    sketch: BlockSketch,
    stretch: Stretch,
    latent: int,
    entry: int,
    end: int,
    strongest: int,
    draw: _Draw,
) -> None:
    """Offer a context to every group it has an activation in."""
    n_intervals = len(draw.lowest) - 1
    top = _place(stretch, latent, entry, end, strongest)
    selection_offer(sketch.top, latent, 0, np.float64(top.value), top)
    for group in range(n_intervals + 1):
        if draw.lowest[group] < np.inf:
            chosen = _place(stretch, latent, entry, end, draw.entries[group])
            if group < n_intervals:
                selection_offer(sketch.intervals, latent, group, -draw.lowest[group], chosen)
            else:
                selection_offer(sketch.random, latent, 0, -draw.lowest[group], chosen)


@compiled
def _place(stretch: Stretch, latent: int, entry: int, end: int, at: int) -> Place:
    return Place(
        stretch.origin + stretch.places[at],
        stretch.values[at],
        stretch.shard,
        entry - stretch.starts[latent],
        end - entry,
    )
