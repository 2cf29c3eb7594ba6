"""Examples as rows of marks: what is drawn where, before any HTML.

A mark is a group of tokens that decodes to text (`dashboards.text`); its activation is the
greatest of its tokens'. A page has ten thousand of them, so a row keeps them as plain sequences;
only those that are lit are objects.
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise

import msgspec

from featureviz.browse.attention import SourceRow, source_rows
from featureviz.browse.effects import on_marks
from featureviz.browse.texts import Texts
from featureviz.dashboards.schema import Dashboard, Example, TokenEffect
from featureviz.dashboards.text import Script, drawn, main_script, readable, script_of, visible

N_LEVELS = 10
_MOST_PEAKS = 9  # beside the selecting one
CLOSE, NEAR = 4, 16  # tokens either side of the peak in the narrow and the middle view


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
    sources: tuple[SourceRow, ...] = ()  # where attention brought the selecting token from
    token: int | None = None  # a position an address points at
    tells: bool = True  # its tokens; not where a row before it shows the same context

    @property
    def peak(self) -> int:
        """The mark that holds the selecting token."""
        return max(0, bisect_right(self.starts, self.example.position) - 1)

    @property
    def place(self) -> str:
        """Context and position, as addresses name an example."""
        return f"{self.example.context}.{self.example.position}"

    @property
    def pointed(self) -> int | None:
        """The mark an address points at."""
        if self.token is None or not self.starts[0] <= self.token < self.starts[-1]:
            return None
        return bisect_right(self.starts, self.token) - 1

    @property
    def strong(self) -> tuple[int, ...]:
        """Positions at least half as strong as the selecting one, from the next on, then round.

        Nine at most, the strongest, then the selecting one itself; of a mark of several tokens, its
        strongest.
        """
        if self.peak not in self.lit:
            return ()
        sizes = {mark: abs(lit.activation) for mark, lit in self.lit.items()}
        least = sizes.pop(self.peak) / 2
        others = sorted(sizes, key=lambda mark: -sizes[mark])[:_MOST_PEAKS]
        marks = sorted(mark for mark in others if sizes[mark] >= least)
        at = bisect_left(marks, self.peak)
        return (*map(self._strongest, marks[at:] + marks[:at]), self.example.position)

    def _strongest(self, mark: int) -> int:
        active = dict(zip(self.example.positions, self.example.activations, strict=True))
        positions = range(self.starts[mark], self.starts[mark + 1])
        return max(positions, key=lambda position: abs(active.get(position, 0.0)))

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


@dataclass(frozen=True, slots=True)
class _Text:
    """A context as marks, whatever is known of them."""

    texts: tuple[str, ...]
    starts: tuple[int, ...]
    tokens: tuple[int, ...]
    script: Script


@lru_cache(maxsize=1 << 16)
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
    full: float | None = None  # the activation of the strongest colour; none: the latent's extreme

    def groups(self) -> list[Group]:
        """Strongest contexts, intervals from strongest to weakest, a random sample, the silent."""
        top = Group("top", f"Top {len(self.dashboard.top)}", self.rows("top", self.dashboard.top))
        sample = Group("random", "Random sample", self.rows("random", self.dashboard.random))
        silent = Group("silent", "Silent", self.rows("silent", self.dashboard.silent))
        every = [top, *self._intervals(), sample, *([silent] if silent.rows else [])]
        return list(_telling_once(every))

    def linked(self, place: str, token: int | None = None) -> Row | None:
        """The example at `<context>.<position>`, whatever position of its context was drawn.

        None when no group holds the context: what the latent did there is then not kept.
        """
        found = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,9})", place)
        if not found:
            return None
        context, position = map(int, found.groups())
        known = [example for example in self._every() if example.context == context]
        same = [example for example in known if example.position == position]
        if same or not known:
            return self.row("ex", same[0], token) if same else None
        moved = _at(known[0], position) if self._is_read(context, position) else None
        return self.row("ex", moved, token) if moved else None

    def _every(self) -> Iterator[Example]:
        yield from self.dashboard.top
        for interval in self.dashboard.intervals:
            yield from interval.examples
        yield from self.dashboard.random
        yield from self.dashboard.silent

    def _is_read(self, context: int, position: int) -> bool:
        first = 1 if self.corpus.facts.has_bos else 0
        return first <= position < int(self.corpus.lengths[context])

    def rows(self, anchor: str, examples: Sequence[Example]) -> tuple[Row, ...]:
        """Rows numbered from 1."""
        return tuple(
            self.row(f"{anchor}-{rank}", example) for rank, example in enumerate(examples, 1)
        )

    def row(self, anchor: str, example: Example, token: int | None = None) -> Row:
        """One example; the start token is not drawn."""
        text = self._text(example.context)
        active = dict(zip(example.positions, example.activations, strict=True))
        return Row(
            anchor=anchor,
            example=example,
            top=self.dashboard.max_activation,
            texts=text.texts,
            starts=text.starts,
            tokens=text.tokens,
            lit=self._lit(text.starts, active),
            parts=self._parts(text.starts, text.tokens, active),
            effects=on_marks(example, text.starts),
            script=text.script,
            sources=source_rows(example, self.corpus),
            token=token,
        )

    def _text(self, context: int) -> _Text:
        """A context cut into marks, once however many rows show it."""
        if context not in self._texts:
            self._texts[context] = self._cut(context)
        return self._texts[context]

    @cached_property
    def _texts(self) -> dict[int, _Text]:
        return {}

    def _cut(self, context: int) -> _Text:
        first = 1 if self.corpus.facts.has_bos else 0
        length = int(self.corpus.lengths[context])
        tokens = tuple(self.corpus.tokens[context, first:length].tolist())
        texts, firsts = drawn([self.corpus.vocabulary[token] for token in tokens])
        starts = (*(first + at for at in firsts), length)
        return _Text(texts, starts, tokens, main_script("".join(texts)))

    @cached_property
    def _full(self) -> float:
        return self.dashboard.max_activation if self.full is None else self.full

    def _lit(self, starts: Sequence[int], active: dict[int, float]) -> dict[int, Lit]:
        greatest: dict[int, float] = {}
        for position, activation in active.items():
            mark = bisect_right(starts, position) - 1
            greatest[mark] = max(activation, greatest.get(mark, 0.0), key=abs)
        return {
            mark: Lit(activation, level_of(activation, self._full))
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
                level=level_of((interval.lower + interval.upper) / 2, self._full),
                number=str(count - rank),
                n_active=interval.n_active,
                share=interval.n_active / self.dashboard.n_active,
                bounds=(interval.lower, interval.upper),
            )
            for rank, interval in enumerate(self.dashboard.intervals)
        ]


def _telling_once(groups: Sequence[Group]) -> Iterator[Group]:
    """The groups, the tokens of each context told by its first row alone."""
    told: set[int] = set()
    for group in groups:
        rows = []
        for row in group.rows:
            rows.append(replace(row, tells=False) if row.example.context in told else row)
            told.add(row.example.context)
        yield replace(group, rows=tuple(rows))


def _at(example: Example, position: int) -> Example:
    """The same context, held against another of its positions."""
    active = dict(zip(example.positions, example.activations, strict=True))
    return msgspec.structs.replace(
        example,
        position=position,
        activation=active.get(position, 0.0),
        sources=None,
        repeated=False,
        alike=False,
        n_alike=1,
    )
