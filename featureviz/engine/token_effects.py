"""Ablation effects of the examples that dashboards show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example, Interval, TokenEffect, TokenWeight
from featureviz.engine.ablation import THRESHOLD, Ablator, Changed, Effects, Pairs
from featureviz.engine.activations import rows_at_once
from featureviz.engine.dictionaries.base import Dictionary
from featureviz.engine.plan import Ablate
from featureviz.engine.subject import Subject
from featureviz.engine.tail import in_pieces

_PAIRS = 1 << 12  # whose effects are held at once
_ENCODED = 1 << 12  # positions run to the hook at once

Place = tuple[int, int]  # (context, latent)
Found = dict[Place, tuple[TokenEffect, ...]]


class Firing(NamedTuple):
    """Where a latent is active in a context."""

    positions: npt.NDArray[np.int64]  # ascending
    values: npt.NDArray[np.float32]


class _Text(NamedTuple):
    """Some contexts of the corpus."""

    contexts: Sequence[int]
    tokens: npt.NDArray[np.int32]  # [n, n_ctx]
    counted: npt.NDArray[np.bool_]


class Workplace(NamedTuple):
    """What effects are computed with."""

    ablator: Ablator
    subject: Subject
    dictionary: Dictionary
    corpus: StoredCorpus


def with_effects(
    dashboards: Sequence[Dashboard], place: Workplace, groups: Ablate
) -> list[Dashboard]:
    """The dashboards with effects on the tokens of their examples; "top" leaves the rest bare."""
    firings = shown_firings(dashboards, groups)
    found: Found = {}
    contexts = sorted({context for context, _ in firings})
    ablator, corpus = place.ablator, place.corpus
    size = ablator.contexts_at_once(corpus.facts.context_size)
    for start in range(0, len(contexts), size):
        part = contexts[start : start + size]
        text = _Text(part, np.asarray(corpus.tokens[part]), np.asarray(corpus.counted[part]))
        kept = set(part)
        own = {key: firing for key, firing in firings.items() if key[0] in kept}
        own = _with_uncounted(own, text, place)
        found |= _effects(ablator, own, text)
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
    """Activations of all latents at some places [len(rows), d_sae]."""
    size = max(1, _ENCODED // tokens.shape[1])
    subject, dictionary = place.subject, place.dictionary
    hook = dictionary.facts.hook
    batch = torch.from_numpy(tokens.astype(np.int64))
    x = in_pieces(lambda part: subject.activations(part, hook), batch, size)
    chosen = x[torch.from_numpy(rows).to(x.device), torch.from_numpy(positions).to(x.device)]
    codes = in_pieces(
        lambda part: dictionary.codes(part).dense(), chosen, rows_at_once(dictionary.facts.d_sae)
    )
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
    clean = ablator.clean(text.tokens, text.counted)
    places = list(firings)
    found: Found = {}
    for start in range(0, len(places), _PAIRS):
        part = places[start : start + _PAIRS]
        pairs = pairs_of({place: firings[place] for place in part}, text.contexts)
        effects = ablator.effects(clean, pairs, listed=THRESHOLD)
        found |= {place: stored(effects, pair) for pair, place in enumerate(part)}
    return found


def stored(effects: Effects, pair: int) -> tuple[TokenEffect, ...]:
    """A pair's effects of at least THRESHOLD nats: total, direct or KL."""
    total, kl = effects.total[pair], effects.kl[pair]
    direct = None if effects.direct is None else effects.direct[pair]
    large = (np.abs(total) >= THRESHOLD) | (kl >= THRESHOLD)
    if direct is not None:
        large |= np.abs(direct) >= THRESHOLD
    nothing = Changed((), ())
    return tuple(
        TokenEffect(
            position,
            float(total[position]),
            None if direct is None else float(direct[position]),
            float(kl[position]),
            *(
                tuple(TokenWeight(*change) for change in changes)
                for changes in effects.changed.get((pair, position), nothing)
            ),
        )
        for position in np.flatnonzero(large).tolist()
    )


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
