"""Where a latent keeps silent though its favourite tokens are there: its hard negatives.

Drawn as every sample is: a place's priority is a hash of (seed, latent, place, kind of sample), the
smallest win, one a context. A place is eligible when its token is a favourite, counts, and stands
in a context where the latent is nowhere active.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example
from featureviz.engine.activations import Actives
from featureviz.engine.compiled import compiled
from featureviz.engine.compose import marked
from featureviz.engine.sketches.selection import (
    SIZE,
    Selection,
    empty_selection,
    latent_state,
    offer,
    priority,
)
from featureviz.engine.sketches.walk import Stretch
from featureviz.engine.spool import by_latent
from featureviz.engine.threads import in_parts

_SALT = 3  # the samples of walk.py have 1 and 2
_SHOWN = 10
_FAVOURITES = 5  # at most


class _Places(NamedTuple):
    """The counted places of a shard by their token."""

    starts: npt.NDArray[np.int64]  # [d_vocab + 1]; token t has the places starts[t]:starts[t + 1]
    places: npt.NDArray[np.uint32]  # ascending within a token


class _Favourites(NamedTuple):
    """The favourite tokens of a block of latents."""

    starts: npt.NDArray[np.int64]  # [n_latents + 1]
    tokens: npt.NDArray[np.int64]


def favourites(dashboard: Dashboard) -> list[int]:
    """The most frequent tokens of its firing that make up half of it, five at most."""
    found: list[int] = []
    covered = 0
    for row in dashboard.fires_on[:_FAVOURITES]:
        if 2 * covered >= dashboard.n_active:
            break
        found.append(row.token)
        covered += row.n_active
    return found


def with_silent(
    dashboards: Sequence[Dashboard],
    stretches: Iterable[Stretch],
    corpus: StoredCorpus,
    d_vocab: int,
) -> list[Dashboard]:
    """The dashboards of a block with their silent group; stretches are its shards, in order."""
    tokens = _joined([favourites(dashboard) for dashboard in dashboards])
    selection = empty_selection(len(dashboards), 1, _SHOWN)
    for stretch in stretches:
        _offer_shard(selection, tokens, stretch, _by_token(stretch, corpus, d_vocab))
    n_ctx = corpus.facts.context_size
    return [
        replace(dashboard, silent=marked(_examples(picks[0], n_ctx), set(), corpus.tokens))
        for dashboard, picks in zip(dashboards, selection.picks, strict=True)
    ]


def _joined(tokens: Sequence[Sequence[int]]) -> _Favourites:
    starts = np.cumsum([0, *map(len, tokens)])
    return _Favourites(starts, np.array([one for own in tokens for one in own], np.int64))


def _by_token(stretch: Stretch, corpus: StoredCorpus, d_vocab: int) -> _Places:
    first = stretch.origin // stretch.n_ctx
    counted = corpus.counted[first : first + len(stretch.tokens) // stretch.n_ctx]
    places = np.flatnonzero(counted).astype(np.uint32)
    tokens = stretch.tokens[places]
    sorted_ = by_latent(Actives(places, tokens, np.empty(len(places), np.float32)), d_vocab)
    return _Places(sorted_.starts, sorted_.places)


def _offer_shard(
    selection: Selection, tokens: _Favourites, stretch: Stretch, index: _Places
) -> None:
    def part(latents: slice) -> None:
        ends = slice(latents.start, latents.stop + 1)
        _offer(
            Selection(selection.keys[latents], selection.picks[latents]),
            tokens._replace(starts=tokens.starts[ends]),
            stretch._replace(
                starts=stretch.starts[ends], first_latent=stretch.first_latent + latents.start
            ),
            index,
        )

    in_parts(len(selection.keys), part)


@compiled
def _offer(selection: Selection, tokens: _Favourites, stretch: Stretch, index: _Places) -> None:
    n_contexts = len(stretch.tokens) // stretch.n_ctx
    lowest = np.empty(n_contexts)  # priority drawn by a context's choice
    chosen = np.empty(n_contexts, np.int64)  # that choice, a place of the corpus
    active = np.empty(n_contexts, np.bool_)
    for latent in range(len(selection.keys)):
        state = latent_state(stretch.seed, stretch.first_latent + latent)
        lowest[:], active[:] = np.inf, False
        for entry in range(stretch.starts[latent], stretch.starts[latent + 1]):
            active[stretch.places[entry] // stretch.n_ctx] = True
        for number in range(tokens.starts[latent], tokens.starts[latent + 1]):
            token = tokens.tokens[number]
            for at in range(index.starts[token], index.starts[token + 1]):
                place: int = stretch.origin + index.places[at]
                context: int = (place - stretch.origin) // stretch.n_ctx
                if active[context]:
                    continue
                drawn = priority(state, place, _SALT)
                if drawn < lowest[context]:
                    lowest[context], chosen[context] = drawn, place
        for context in range(n_contexts):
            if lowest[context] < np.inf:
                pick = (stretch.shard, chosen[context], 0, 1)
                offer(selection.keys[latent, 0], selection.picks[latent, 0], -lowest[context], pick)


def _examples(picks: npt.NDArray[np.int64], n_ctx: int) -> list[Example]:
    """Picks hold (shard, place in the corpus, 0, 1); an unused one has size 0."""
    places = [divmod(int(pick[1]), n_ctx) for pick in picks if pick[SIZE]]
    return [Example(context, position, 0.0, (), ()) for context, position in places]
