"""Sketches to dashboards: what was gathered becomes the records that pages read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import (
    Dashboard,
    Example,
    Histogram,
    Interval,
    LogitWeights,
    TokenCount,
)
from featureviz.engine.sketches.selection import SIZE, Selection
from featureviz.engine.sketches.token_counts import COUNT, TOTAL, most_frequent
from featureviz.engine.sketches.walk import BlockSketch
from featureviz.engine.spool import LatentSlices, read_slices

_TOKENS_SHOWN = 20
_ALIKE_REACH = 8  # tokens to either side


@dataclass(frozen=True)
class Composer:
    """Turns the sketch of a block into dashboards; knows the corpus and the spooled shards."""

    corpus: StoredCorpus
    shards: Sequence[Path]
    shard_size: int  # contexts in a shard
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
        logits: Sequence[LogitWeights | None],
    ) -> list[Dashboard]:
        """One dashboard a latent of the block, in their order."""
        spooled = [read_slices(path, latents.start, latents.stop) for path in self.shards]
        return [
            self._dashboard(
                _Row(sketch, row, spooled, self.shard_size, self.corpus.facts.context_size),
                latents[row],
                decoder_norms[row],
                logits[row],
            )
            for row in range(len(latents))
        ]

    def _dashboard(
        self, row: _Row, latent: int, decoder_norm: float, logits: LogitWeights | None
    ) -> Dashboard:
        seen: set[tuple[int, int]] = set()
        moments, tokens = row.sketch.moments, self.corpus.tokens
        facts = self.corpus.facts
        return Dashboard(
            index=latent,
            n_tokens=facts.n_tokens,
            n_active=int(moments.n_active[row.number]),
            n_contexts=facts.n_contexts,
            n_active_contexts=int(moments.n_contexts[row.number]),
            sum_activation=float(moments.total[row.number]),
            sum_squared_activation=float(moments.total_squares[row.number]),
            max_activation=float(row.edges[-1]),
            decoder_norm=float(decoder_norm),
            histogram=row.histogram(),
            logits=logits,
            top=marked(row.examples(row.sketch.top, 0), seen, tokens),
            intervals=tuple(row.intervals(seen, tokens)),
            random=marked(row.examples(row.sketch.random, 0), seen, tokens),
            fires_on=self._fires_on(row),
        )

    def _fires_on(self, row: _Row) -> tuple[TokenCount, ...]:
        counts = row.sketch.token_counts[row.number]
        return tuple(
            TokenCount(
                token=int(token),
                n_active=int(counts[token, COUNT]),
                n_tokens=int(self.base_counts[token]),
                total=float(counts[token, TOTAL]),
            )
            for token in most_frequent(counts, _TOKENS_SHOWN)
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """One latent of a block's sketch."""

    sketch: BlockSketch
    number: int  # within the block
    spooled: list[LatentSlices]  # of every shard, in order
    shard_size: int
    n_ctx: int

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        return self.sketch.edges[self.number]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        return self.sketch.histogram[self.number]

    def histogram(self) -> Histogram:
        if not self.counts.any():
            return Histogram(edges=(), counts=())
        return Histogram(edges=tuple(self.edges.tolist()), counts=tuple(self.counts.tolist()))

    def intervals(
        self, seen: set[tuple[int, int]], tokens: npt.NDArray[np.int32]
    ) -> Iterator[Interval]:
        """Strongest first; none for a dead latent."""
        if not self.counts.any():
            return
        groups = self.sketch.intervals.keys.shape[1]
        each = len(self.counts) // groups
        for group in reversed(range(groups)):
            bins = slice(group * each, (group + 1) * each)
            found = self.examples(self.sketch.intervals, group)
            strongest = sorted(found, key=lambda example: -example.activation)
            yield Interval(
                lower=float(self.edges[bins.start]),
                upper=float(self.edges[bins.stop]),
                n_active=int(self.counts[bins].sum()),
                examples=marked(strongest, seen, tokens),
            )

    def examples(self, selection: Selection, group: int) -> list[Example]:
        """The picks of a group, best first."""
        picks = selection.picks[self.number, group].tolist()
        return [self._example(*pick) for pick in picks if pick[SIZE]]

    def _example(self, shard: int, entry: int, first: int, size: int) -> Example:
        slices = self.spooled[shard]
        start = int(slices.starts[self.number])
        places = slices.places[start + first : start + first + size]
        values = slices.values[start + first : start + first + size].tolist()
        context, position = divmod(int(slices.places[start + entry]), self.n_ctx)
        return Example(
            context=context + shard * self.shard_size,
            position=position,
            activation=values[entry - first],
            positions=tuple((places % self.n_ctx).tolist()),
            activations=tuple(values),
        )


def marked(
    examples: list[Example], seen: set[tuple[int, int]], tokens: npt.NDArray[np.int32]
) -> tuple[Example, ...]:
    """Mark what was shown in an earlier group, and what reads like an example before it."""
    windows = [_window(example, tokens) for example in examples]
    counts, read = Counter(windows), set[bytes]()
    marked = []
    for example, window in zip(examples, windows, strict=True):
        marked.append(
            replace(
                example,
                repeated=(example.context, example.position) in seen,
                n_alike=counts[window],
                alike=window in read,
            )
        )
        read.add(window)
    seen.update((example.context, example.position) for example in examples)
    return tuple(marked)


def _window(example: Example, tokens: npt.NDArray[np.int32]) -> bytes:
    """What two examples must share to read alike: the tokens around the selecting position."""
    start = max(0, example.position - _ALIKE_REACH)
    row = tokens[example.context, start : example.position + _ALIKE_REACH + 1]
    return (example.position - start).to_bytes(2, "little") + row.tobytes()
