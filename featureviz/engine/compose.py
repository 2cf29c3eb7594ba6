"""Sketches to dashboards: what was gathered becomes the records that pages read.

Column by column over a block of latents: the loops over examples are those of `map` and `slice`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import (
    Dashboard,
    Example,
    Histogram,
    Interval,
    TokenCount,
)
from featureviz.engine.sketches.shown import Shown
from featureviz.engine.sketches.token_counts import TopTokens
from featureviz.engine.sketches.walk import BlockSketch

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Composer:
    """Turns the sketch of a block into dashboards; knows the corpus."""

    corpus: StoredCorpus
    d_vocab: int

    @cached_property
    def base_counts(self) -> npt.NDArray[np.int64]:
        """Counted positions of every token in the corpus [d_vocab]."""
        counted = self.corpus.tokens[np.asarray(self.corpus.counted)]
        return np.bincount(counted, minlength=self.d_vocab)

    def dashboards(
        self,
        latents: range,
        sketch: BlockSketch,
        decoder_norms: Sequence[float],
    ) -> list[Dashboard]:
        """One dashboard a latent of the block, in their order, without its logit weights."""
        with _no_collection():
            return self._dashboards(latents, sketch, decoder_norms)

    def _dashboards(
        self,
        latents: range,
        sketch: BlockSketch,
        decoder_norms: Sequence[float],
    ) -> list[Dashboard]:
        facts, moments = self.corpus.facts, sketch.moments
        groups = _in_rows(_examples(sketch.shown), len(latents))
        columns = zip(
            latents,
            moments.n_active.tolist(),
            moments.n_contexts.tolist(),
            moments.total.tolist(),
            moments.total_squares.tolist(),
            sketch.edges[:, -1].tolist(),
            decoder_norms,
            _histograms(sketch),
            groups,
            _intervals(sketch, groups),
            self._fires_on(sketch.tokens),
            strict=True,
        )
        return [
            Dashboard(
                index=index,
                n_tokens=facts.n_tokens,
                n_active=n_active,
                n_contexts=facts.n_contexts,
                n_active_contexts=n_active_contexts,
                sum_activation=total,
                sum_squared_activation=total_squares,
                max_activation=maximum,
                decoder_norm=norm,
                histogram=histogram,
                logits=None,
                top=shown[0],
                intervals=intervals,
                random=shown[-1],
                fires_on=fires_on,
            )
            for index, n_active, n_active_contexts, total, total_squares, maximum, norm, histogram,
            shown, intervals, fires_on in columns
        ]  # fmt: skip

    def _fires_on(self, top: TopTokens) -> Iterator[tuple[TokenCount, ...]]:
        used = top.counts > 0
        tokens = top.tokens[used]
        counts = map(
            TokenCount,
            tokens.tolist(),
            top.counts[used].tolist(),
            self.base_counts[tokens].tolist(),
            top.totals[used].tolist(),
        )
        return cut(counts, used.sum(axis=1))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Records hold no cycles; to look for some takes a third of the time to make them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _examples(shown: Shown) -> Iterator[tuple[Example, ...]]:
    """The examples of every latent and group, one after another."""
    used = shown.contexts >= 0
    starts, sizes = shown.starts[used], shown.sizes[used]
    examples = map(
        Example,
        shown.contexts[used].tolist(),
        shown.positions[used].tolist(),
        shown.activations[used].tolist(),
        _slices(shown.context_positions, starts, sizes),
        _slices(shown.context_values, starts, sizes),
        shown.repeated[used].tolist(),
        shown.n_alike[used].tolist(),
        shown.alike[used].tolist(),
    )
    counts = [used[:, first:end].sum(axis=1) for first, end in pairwise(shown.groups.tolist())]
    return cut(examples, np.stack(counts, axis=1).reshape(-1))


def _intervals(
    sketch: BlockSketch, groups: list[list[tuple[Example, ...]]]
) -> Iterator[tuple[Interval, ...]]:
    """Of every latent, strongest first; none for a dead one."""
    n_bins = sketch.histogram.shape[1]
    n_intervals = len(sketch.shown.groups) - 3  # between the top and the random sample
    each = n_bins // n_intervals
    alive = sketch.moments.n_active > 0
    bounds = sketch.edges[alive, ::each]
    counts = sketch.histogram[alive].reshape(-1, n_intervals, each).sum(axis=2)
    examples = (
        group for row, fires in zip(groups, alive.tolist(), strict=True) if fires
        for group in row[1:-1]
    )  # fmt: skip
    intervals = map(
        Interval,
        bounds[:, -2::-1].reshape(-1).tolist(),
        bounds[:, :0:-1].reshape(-1).tolist(),
        counts[:, ::-1].reshape(-1).tolist(),
        examples,
    )
    return cut(intervals, np.where(alive, n_intervals, 0))


def _histograms(sketch: BlockSketch) -> Iterator[Histogram]:
    """Of every latent; an empty one of a dead latent."""
    alive = (sketch.moments.n_active > 0).tolist()
    for fires, edges, counts in zip(
        alive, sketch.edges.tolist(), sketch.histogram.tolist(), strict=True
    ):
        yield Histogram(tuple(edges), tuple(counts)) if fires else Histogram((), ())


def _slices(values: Numbers, starts: Numbers, sizes: Numbers) -> Iterator[tuple[Any, ...]]:
    whole = tuple(values.tolist())
    return map(whole.__getitem__, map(slice, starts.tolist(), (starts + sizes).tolist()))


def cut(items: Iterable[Any], sizes: Numbers) -> Iterator[tuple[Any, ...]]:
    """Consecutive items, so many at a time."""
    whole, ends = tuple(items), np.cumsum(sizes)
    return map(whole.__getitem__, map(slice, (ends - sizes).tolist(), ends.tolist()))


def _in_rows(items: Iterator[Any], n_rows: int) -> list[list[Any]]:
    whole = list(items)
    width = len(whole) // n_rows
    return [whole[row * width : (row + 1) * width] for row in range(n_rows)]
