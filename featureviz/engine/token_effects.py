"""Ablation effects of the examples that dashboards show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example, Interval, TokenEffect, TokenWeight
from featureviz.engine.ablation import THRESHOLD, Ablator, Changed, Clean, Effects, Pairs
from featureviz.engine.dictionaries.base import Dictionary
from featureviz.engine.plan import Ablate
from featureviz.engine.subject import Subject
from featureviz.engine.tail import in_pieces

STEP = 2**-13  # nats, or probability; what is stored is a multiple of it
LEAST_CHANGE = 0.005  # of a probability; smaller ones are not stored

_PAIRS = 1 << 12  # whose effects are held at once
_ENCODED_ROWS = 64  # activations are encoded so many at once; they are few
_ENCODED = 1 << 12  # positions run to the hook at once
_PREFIXES = 32  # of them at most

Place = tuple[int, int]  # (context, latent)
Found = dict[Place, tuple[TokenEffect, ...]]


class Firing(NamedTuple):
    """Where a latent is active in a context."""

    positions: npt.NDArray[np.int64]  # ascending
    values: npt.NDArray[np.float32]


class _Text(NamedTuple):
    """Some contexts of the corpus, and how they run when nothing is done to them."""

    contexts: Sequence[int]
    tokens: npt.NDArray[np.int32]  # [n, n_ctx]
    counted: npt.NDArray[np.bool_]
    clean: Clean


@dataclass(frozen=True)
class Workplace:
    """What effects are computed with.

    Blocks show much the same contexts: where the corpus is small, clean runs are kept for the next.
    """

    ablator: Ablator
    subject: Subject
    dictionary: Dictionary
    corpus: StoredCorpus
    kept: dict[int, _Text] = field(default_factory=dict)  # by number of the stretch of contexts

    def texts(self, contexts: Sequence[int]) -> Iterator[_Text]:
        """Texts that hold these contexts, which ascend."""
        facts = self.corpus.facts
        size = self.ablator.contexts_at_once(facts.context_size)
        if facts.n_contexts > self.ablator.contexts_kept(facts.context_size):
            for start in range(0, len(contexts), size):
                yield self._text(contexts[start : start + size])
            return
        for number in sorted({context // size for context in contexts}):
            if number not in self.kept:
                last = min((number + 1) * size, facts.n_contexts)
                self.kept[number] = self._text(range(number * size, last))
            yield self.kept[number]

    def _text(self, contexts: Sequence[int]) -> _Text:
        rows = np.asarray(contexts)
        tokens = np.asarray(self.corpus.tokens[rows])
        counted = np.asarray(self.corpus.counted[rows])
        return _Text(contexts, tokens, counted, self.ablator.clean(tokens, counted))


def _to_nobody(_done: int, _size: int) -> None:
    """Report to nobody."""


def with_effects(
    dashboards: Sequence[Dashboard],
    place: Workplace,
    groups: Ablate,
    report: Callable[[int, int], None] = _to_nobody,
) -> list[Dashboard]:
    """The dashboards with effects on the tokens of their examples; "top" leaves the rest bare.

    `report` is told how many contexts are done, and of how many.
    """
    firings = shown_firings(dashboards, groups)
    found: Found = {}
    contexts = sorted({context for context, _ in firings})
    done = 0
    for text in place.texts(contexts):
        inside = set(text.contexts)
        own = {key: firing for key, firing in firings.items() if key[0] in inside}
        done += len({context for context, _ in own})
        own = _with_uncounted(own, text, place)
        found |= _effects(place.ablator, own, text)
        report(done, len(contexts))
    return [_attached(dashboard, found, groups) for dashboard in dashboards]


def shown_firings(dashboards: Sequence[Dashboard], groups: Ablate) -> dict[Place, Firing]:
    """Every distinct (context, latent) shown, by context, then latent."""
    shown = {
        (example.context, dashboard.index): Firing(
            np.array(example.positions, np.int64), np.array(example.activations, np.float32)
        )
        for dashboard in dashboards
        for example in _examples(dashboard, groups)
    }
    return dict(sorted(shown.items()))


def pairs_of(firings: dict[Place, Firing], contexts: Sequence[int]) -> Pairs:
    """Firings as pairs over these contexts."""
    row = {context: number for number, context in enumerate(contexts)}
    sizes = [len(firing.positions) for firing in firings.values()]
    return Pairs(
        contexts=np.array([row[context] for context, _ in firings], np.int64),
        latents=np.array([latent for _, latent in firings], np.int64),
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        positions=np.concatenate([firing.positions for firing in firings.values()]),
        values=np.concatenate([firing.values for firing in firings.values()]),
    )


def _examples(dashboard: Dashboard, groups: Ablate) -> Iterator[Example]:
    yield from dashboard.top
    if groups == "all":
        for interval in dashboard.intervals:
            yield from interval.examples
        yield from dashboard.random


def _with_uncounted(
    firings: dict[Place, Firing], text: _Text, place: Workplace
) -> dict[Place, Firing]:
    """Add where latents fire on tokens that count in no statistic, but that others attend to."""
    later = np.cumsum(text.counted[:, ::-1], axis=1)[:, ::-1] > 0
    rows, positions = np.nonzero(~text.counted & later)
    if len(rows) == 0:
        return firings
    values = _encoded(text.tokens, rows, positions, place)
    row_of = {context: row for row, context in enumerate(text.contexts)}
    return {
        (context, latent): _merged(
            firing,
            positions[rows == row_of[context]],
            values[rows == row_of[context], latent],
        )
        for (context, latent), firing in firings.items()
    }


@torch.inference_mode()
def _encoded(
    tokens: npt.NDArray[np.int32],
    rows: npt.NDArray[np.intp],
    positions: npt.NDArray[np.intp],
    place: Workplace,
) -> npt.NDArray[np.float32]:
    """Activations of all latents at some places [len(rows), d_sae].

    A place needs what stands before it and no more, so a start token is run once for all contexts.
    """
    values = np.empty((len(rows), place.dictionary.facts.d_sae), np.float32)
    lengths = np.minimum(1 << np.ceil(np.log2(positions + 1)).astype(int), tokens.shape[1])
    for length in np.unique(lengths).tolist():
        chosen = np.flatnonzero(lengths == length)
        prefixes = tokens[rows[chosen], :length]
        distinct, which = np.unique(
            np.column_stack([prefixes, positions[chosen]]), axis=0, return_inverse=True
        )
        values[chosen] = _codes(distinct[:, :-1], distinct[:, -1], place)[which.reshape(-1)]
    return values


def _codes(
    prefixes: npt.NDArray[np.int64], positions: npt.NDArray[np.int64], place: Workplace
) -> npt.NDArray[np.float32]:
    """Activations of all latents, in each prefix [n, length] at one position [n, d_sae]."""
    subject, dictionary = place.subject, place.dictionary
    length, hook = prefixes.shape[1], dictionary.facts.hook
    size = max(1, min(_ENCODED // length, _PREFIXES))
    x = in_pieces(lambda part: subject.activations(part, hook), torch.from_numpy(prefixes), size)
    chosen = x[torch.arange(len(x)), torch.from_numpy(positions)]
    codes = in_pieces(lambda part: dictionary.codes(part).dense(), chosen, _ENCODED_ROWS)
    return codes.float().cpu().numpy()


def _merged(
    firing: Firing, positions: npt.NDArray[np.intp], values: npt.NDArray[np.float32]
) -> Firing:
    """A firing, and what is active of some other positions."""
    active = values > 0
    places = np.concatenate([firing.positions, positions[active]])
    order = places.argsort(kind="stable")
    return Firing(places[order], np.concatenate([firing.values, values[active]])[order])


def _effects(ablator: Ablator, firings: dict[Place, Firing], text: _Text) -> Found:
    places = list(firings)
    found: Found = {}
    for start in range(0, len(places), _PAIRS):
        part = places[start : start + _PAIRS]
        pairs = pairs_of({place: firings[place] for place in part}, text.contexts)
        effects = ablator.effects(text.clean, pairs, listed=THRESHOLD)
        found |= {place: stored(effects, pair) for pair, place in enumerate(part)}
    return found


def stored(effects: Effects, pair: int) -> tuple[TokenEffect, ...]:
    """A pair's effects of at least THRESHOLD nats: total, direct or KL.

    Rounded to STEP nats: finer than any page shows, and half the size in the store. Of the changed
    tokens, those whose probability moves by LEAST_CHANGE or more.
    """
    total, kl = effects.total[pair], effects.kl[pair]
    direct = None if effects.direct is None else effects.direct[pair]
    large = (np.abs(total) >= THRESHOLD) | (kl >= THRESHOLD)
    if direct is not None:
        large |= np.abs(direct) >= THRESHOLD
    nothing = Changed((), ())
    return tuple(
        TokenEffect(
            position,
            _rounded(total[position]),
            None if direct is None else _rounded(direct[position]),
            _rounded(kl[position]),
            *(
                tuple(
                    TokenWeight(token, _rounded(change))
                    for token, change in changes
                    if abs(change) >= LEAST_CHANGE
                )
                for changes in effects.changed.get((pair, position), nothing)
            ),
        )
        for position in np.flatnonzero(large).tolist()
    )


def _rounded(number: float) -> float:
    return round(float(number) / STEP) * STEP


def _attached(dashboard: Dashboard, found: Found, groups: Ablate) -> Dashboard:
    def own(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(
            replace(example, effects=found[example.context, dashboard.index])
            for example in examples
        )

    top = replace(dashboard, top=own(dashboard.top), effect_threshold=THRESHOLD)
    if groups != "all":
        return top
    return replace(top, intervals=_each(dashboard.intervals, own), random=own(dashboard.random))


def _each(
    intervals: tuple[Interval, ...], own: Callable[[tuple[Example, ...]], tuple[Example, ...]]
) -> tuple[Interval, ...]:
    return tuple(replace(interval, examples=own(interval.examples)) for interval in intervals)
