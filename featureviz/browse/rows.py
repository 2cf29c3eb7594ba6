"""Examples as rows of marks: what is drawn where, before any HTML.

A mark is a group of tokens that decodes to text (`dashboards.text`); its activation is the
greatest of its tokens'. A page has ten thousand of them, so a row keeps them as plain sequences;
only those that are lit are objects.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from featureviz.browse.effects import on_marks
from featureviz.dashboards.schema import Dashboard, Example, TokenEffect
from featureviz.dashboards.text import Script, glyphs, main_script, readable, script_of, visible

N_LEVELS = 10
CLOSE, NEAR = 4, 16  # tokens either side of the peak in the narrow and the middle view


class Starts(Protocol):
    """How contexts begin."""

    @property
    def has_bos(self) -> bool:
        """Whether position 0 is the start token."""


class Texts(Protocol):
    """Where a row's text is read: a stored corpus, or one typed text in its shape."""

    @property
    def facts(self) -> Starts:
        """How contexts begin."""

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """Token ids [n_contexts, n_ctx]."""

    @property
    def lengths(self) -> Sequence[int] | npt.NDArray[np.int32]:
        """Positions of each context that are not padding."""

    @property
    def vocabulary(self) -> Sequence[bytes]:
        """The bytes of every token."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several tokens that make up a mark."""

    token: int
    text: str
    activation: float


@dataclass(frozen=True, slots=True)
class Lit:
    """A mark that is active."""

    activation: float
    level: int  # 1 to 10


@dataclass(frozen=True, slots=True)
class Row:
    """One example, ready to be drawn."""

    anchor: str  # top-3
    example: Example
    top: float  # the latent's maximum
    texts: tuple[str, ...]  # of the marks
    starts: tuple[int, ...]  # first position of each mark in the context, then the end
    tokens: tuple[int, ...]  # ids, from the first position drawn
    lit: dict[int, Lit]  # marks that are active
    parts: dict[int, tuple[Part, ...]]  # of marks made of several tokens
    effects: dict[int, TokenEffect]  # on marks; none where none was computed
    script: Script

    @property
    def peak(self) -> int:
        """The mark that holds the selecting token."""
        return max(0, bisect_right(self.starts, self.example.position) - 1)

    @property
    def place(self) -> str:
        """Context and position, as addresses name an example."""
        return f"{self.example.context}.{self.example.position}"

    def within(self, reach: int) -> range:
        """Marks that lie wholly within so many tokens of the selecting one."""
        at = self.example.position
        first = bisect_left(self.starts, at - reach)
        last = bisect_right(self.starts, at + reach + 1) - 1
        return range(min(first, self.peak), max(last, self.peak + 1))

    @property
    def turns(self) -> bool:
        """Whether the peak runs against its row; it would leave the column of peaks by itself."""
        scripts = filter(None, map(script_of, self.texts[self.peak]))
        first = next(scripts, self.script)
        return first.direction != self.script.direction

    @property
    def cuts_a_word(self) -> bool:
        """Whether the peak begins in the middle of connected letters."""
        return self.peak > 0 and all(map(is_joined, self.texts[self.peak - 1 : self.peak + 1]))


def is_joined(text: str) -> bool:
    """Whether letters of a text connect to their neighbours."""
    return any(script.joined for script in map(script_of, text) if script)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows chosen in one way."""

    anchor: str
    title: str
    rows: tuple[Row, ...]
    level: int = 0  # of an interval, on the colour scale
    number: str = ""  # of an interval, 10 the strongest
    n_active: int | None = None
    share: float = 0.0  # of all active tokens
    bounds: tuple[float, float] = field(default=(0.0, 0.0))


def level_of(activation: float, top: float) -> int:
    """The step of the colour scale: 1 to 10, logarithmic to show weak tokens; 0 is silent.

    `top` is the activation farthest from 0: below it at a negative end, as its activations are.
    """
    share = min(1.0, activation / top) if top else 0.0
    if share <= 0:
        return 0
    return min(N_LEVELS, max(1, math.ceil(N_LEVELS * math.log10(1 + 9 * share))))


@dataclass(frozen=True)
class Reader:
    """Draws a latent's examples; knows the corpus their text is in."""

    corpus: Texts
    dashboard: Dashboard

    def groups(self) -> list[Group]:
        """Strongest contexts, intervals from strongest to weakest, a random sample, the silent."""
        top = Group("top", f"Top {len(self.dashboard.top)}", self.rows("top", self.dashboard.top))
        sample = Group("random", "Random sample", self.rows("random", self.dashboard.random))
        silent = Group("silent", "Silent", self.rows("silent", self.dashboard.silent))
        return [top, *self._intervals(), sample, *([silent] if silent.rows else [])]

    def linked(self, place: str) -> Row | None:
        """The example at `<context>.<position>`; none when no group holds it."""
        every = [self.dashboard.top, self.dashboard.random, self.dashboard.silent]
        every += [interval.examples for interval in self.dashboard.intervals]
        for example in (example for examples in every for example in examples):
            if f"{example.context}.{example.position}" == place:
                return self.row("ex", example)
        return None

    def rows(self, anchor: str, examples: Sequence[Example]) -> tuple[Row, ...]:
        """Rows numbered from 1."""
        return tuple(
            self.row(f"{anchor}-{rank}", example) for rank, example in enumerate(examples, 1)
        )

    def row(self, anchor: str, example: Example) -> Row:
        """One example; the start token is not drawn."""
        first = 1 if self.corpus.facts.has_bos else 0
        length = int(self.corpus.lengths[example.context])
        tokens = tuple(self.corpus.tokens[example.context, first:length].tolist())
        found = glyphs([self.corpus.vocabulary[token] for token in tokens])
        starts = (*(first + glyph.first for glyph in found), length)
        texts = tuple(visible(glyph.text) for glyph in found)
        active = dict(zip(example.positions, example.activations, strict=True))
        return Row(
            anchor=anchor,
            example=example,
            top=self.dashboard.max_activation,
            texts=texts,
            starts=starts,
            tokens=tokens,
            lit=self._lit(starts, active),
            parts=self._parts(starts, tokens, active),
            effects=on_marks(example, starts),
            script=main_script("".join(texts)),
        )

    def _lit(self, starts: Sequence[int], active: dict[int, float]) -> dict[int, Lit]:
        greatest: dict[int, float] = {}
        for position, activation in active.items():
            mark = bisect_right(starts, position) - 1
            greatest[mark] = max(activation, greatest.get(mark, 0.0), key=abs)
        top = self.dashboard.max_activation
        return {
            mark: Lit(activation, level_of(activation, top))
            for mark, activation in greatest.items()
        }

    def _parts(
        self, starts: Sequence[int], tokens: Sequence[int], active: dict[int, float]
    ) -> dict[int, tuple[Part, ...]]:
        if len(starts) == len(tokens) + 1:
            return {}
        return {
            mark: tuple(
                self._part(tokens[position - starts[0]], active.get(position, 0.0))
                for position in range(start, end)
            )
            for mark, (start, end) in enumerate(pairwise(starts))
            if end - start > 1
        }

    def _part(self, token: int, activation: float) -> Part:
        return Part(token, visible(readable(self.corpus.vocabulary[token])), activation)

    def _intervals(self) -> list[Group]:
        count = len(self.dashboard.intervals)
        return [
            Group(
                anchor=f"i{count - rank}",
                title="",
                rows=self.rows(f"i{count - rank}", interval.examples),
                level=level_of(
                    (interval.lower + interval.upper) / 2, self.dashboard.max_activation
                ),
                number=str(count - rank),
                n_active=interval.n_active,
                share=interval.n_active / self.dashboard.n_active,
                bounds=(interval.lower, interval.upper),
            )
            for rank, interval in enumerate(self.dashboard.intervals)
        ]
