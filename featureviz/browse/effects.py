"""Ablation effects on a latent's page: which tokens are underlined, how strongly, what is told.

A mark made of several tokens is told the effect of the token among them that is affected most.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example, TokenEffect, TokenWeight
from featureviz.dashboards.text import readable, visible

STEPS = (0.01, 0.05, 0.2, 0.5, 1.0)  # nats; from each on, the line is a step stronger
_MILLI = 1000  # numbers travel to the page as whole thousandths
_MOST_CHANGES = 6000  # of probabilities, on a page; beyond, the smallest stay in the JSON


def step_of(effect: float | None) -> int:
    """How strongly an effect is drawn: 1 to 5; 0 is not at all."""
    return bisect_right(STEPS, abs(effect)) if effect is not None else 0


def class_of(kind: str, effect: float | None) -> str:
    """What a mark's line looks like: `tp3` is total, helped, step 3; `dn1` direct, hurt, step 1."""
    step = step_of(effect)
    return f"{kind}{'n' if effect and effect < 0 else 'p'}{step}" if step else ""


def on_marks(example: Example, starts: Sequence[int]) -> dict[int, TokenEffect]:
    """The effect on each mark, given where marks start; the largest where it is several tokens."""
    found: dict[int, TokenEffect] = {}
    for effect in example.effects or ():
        mark = bisect_right(starts, effect.position) - 1
        if mark not in found or abs(effect.total) > abs(found[mark].total):
            found[mark] = effect
    return found


def n_without_effects(dashboard: Dashboard) -> int:
    """Distinct contexts among its examples whose effects were not computed, at either end."""
    ends = [dashboard, *([dashboard.negative] if dashboard.negative else [])]
    return len(
        {
            (number, example.context)
            for number, end in enumerate(ends)
            for group in (end.top, *(each.examples for each in end.intervals), end.random)
            for example in group
            if example.effects is None
        }
    )


@dataclass(frozen=True)
class PageEffects:
    """What one page tells of effects, beyond its rows."""

    dashboard: Dashboard
    corpus: StoredCorpus

    @property
    def threshold(self) -> float:
        """Nats; smaller effects are not kept."""
        return self.dashboard.effect_threshold or 0.0

    @cached_property
    def direct(self) -> str:
        """`own`; `same` where it equals the total effect by construction; `none`: not known."""
        pairs = {(effect.total, effect.direct) for effect in self._every()}
        if any(direct is None for _, direct in pairs):
            return "none"
        return "own" if any(total != direct for total, direct in pairs) else "same"

    @property
    def only_top(self) -> bool:
        """Whether the other groups have none."""
        return any(example.effects is None for example in self.dashboard.random)

    @property
    def steps(self) -> tuple[tuple[int, float], ...]:
        """Each step of the line, with the nats it begins at."""
        return tuple(enumerate(STEPS, 1))

    @property
    def words(self) -> str:
        """The tokens that rose and fell anywhere on the page, the most frequent first, as JSON."""
        vocabulary = self.corpus.vocabulary
        texts = [visible(readable(vocabulary[token])) for token in self._numbers]
        return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))

    def classes(self, effect: TokenEffect) -> str:
        """How a mark is underlined; a direct effect only where it says something new."""
        total = class_of("t", effect.total)
        direct = class_of("d", effect.direct) if self.direct == "own" else ""
        return f"{total} {direct}".strip()

    def numbers(self, example: Example, effects: dict[int, TokenEffect]) -> str:
        """A row's effects for the script, as JSON: one list a mark, in order.

        [marks since the one before, total, direct unless it is the same, KL, then token and change
        for each that rose or fell], thousandths of a nat and of a probability; tokens by their
        place in `words`. Empty where a row above shows the same context and says it.
        """
        if self._first_of[example.context] is not example:
            return ""
        lists, last = [], -1
        for mark, effect in sorted(effects.items()):
            lists.append([mark - last - 1, *self._nats(effect), *self._changes(effect)])
            last = mark
        return json.dumps(lists, separators=(",", ":"))

    def _nats(self, effect: TokenEffect) -> list[int]:
        told = [effect.total, effect.kl]
        if self.direct == "own" and effect.direct is not None:
            told.insert(1, effect.direct)
        return [round(_MILLI * number) for number in told]

    def _changes(self, effect: TokenEffect) -> Iterator[int]:
        for change in self._shown(effect):
            yield self._numbers[change.token]
            yield round(_MILLI * change.value)

    def _shown(self, effect: TokenEffect) -> Iterable[TokenWeight]:
        return (one for one in effect.risen + effect.fallen if abs(one.value) >= self._least_change)

    @cached_property
    def _numbers(self) -> dict[int, int]:
        counts = Counter(change.token for each in self._every() for change in self._shown(each))
        return {token: number for number, (token, _) in enumerate(counts.most_common())}

    @cached_property
    def _least_change(self) -> float:
        """Of a probability, so that a page stays light."""
        sizes = sorted(
            (abs(change.value) for each in self._every() for change in each.risen + each.fallen),
            reverse=True,
        )
        return sizes[_MOST_CHANGES] if len(sizes) > _MOST_CHANGES else 0.0

    @cached_property
    def _first_of(self) -> dict[int, Example]:
        """The first example of each context that has effects, in the order of the page."""
        found: dict[int, Example] = {}
        intervals = (interval.examples for interval in self.dashboard.intervals)
        for examples in (self.dashboard.top, *intervals, self.dashboard.random):
            for example in examples:
                if example.effects is not None:
                    found.setdefault(example.context, example)
        return found

    def _every(self) -> Iterator[TokenEffect]:
        for example in self._first_of.values():
            yield from example.effects or ()
