"""Where a latent keeps silent though its favourite tokens are there: its hard negatives.

Drawn as every sample is: a place's priority is a hash of (seed, latent, place, kind of sample), the
smallest win, one a context. A place is eligible when its token is a favourite, counts, and stands
in a context where the latent is nowhere active.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example
from featureviz.dashboards.slices import LatentSlices, read_slices
from featureviz.engine.activations import Actives
from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.selection import (
    Selection,
    empty_selection,
    latent_state,
    offer,
    priority,
)
from featureviz.engine.sketches.shown import mark
from featureviz.engine.sketches.walk import Ground
from featureviz.engine.spool import Spool, by_latent
from featureviz.engine.threads import in_parts

_SALT = 3  # the samples of walk.py have 1 and 2
_SHOWN = 10
_FAVOURITES = 5  # at most


class _Shard(NamedTuple):
    """What one shard holds of a block of latents, and its counted places by their token."""

    slices: LatentSlices
    token_starts: npt.NDArray[np.int64]  # [d_vocab + 1]; token t has token_places from … to …
    token_places: npt.NDArray[np.uint32]  # ascending within a token
    token_contexts: npt.NDArray[np.uint32]  # of the shard, likewise
    origin: int  # place of the shard's first position in the corpus
    n_contexts: int
    n_ctx: int


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
    dashboards: Sequence[Dashboard], spool: Spool, corpus: StoredCorpus, ground: Ground
) -> list[Dashboard]:
    """The dashboards of a block, consecutive latents, with their silent groups."""
    latents = range(dashboards[0].index, dashboards[-1].index + 1)
    tokens = _joined([favourites(dashboard) for dashboard in dashboards])
    selection = empty_selection(len(dashboards), 1, _SHOWN)
    for number in range(len(spool.paths)):
        shard = _read(number, spool, latents, corpus, ground)
        _offer_shard(selection, tokens, shard, latents.start, ground.seed)
    return [
        replace(dashboard, silent=examples)
        for dashboard, examples in zip(
            dashboards, _examples(selection.picks[:, 0], corpus), strict=True
        )
    ]


def _joined(tokens: Sequence[Sequence[int]]) -> _Favourites:
    starts = np.cumsum([0, *map(len, tokens)])
    return _Favourites(starts, np.array([one for own in tokens for one in own], np.int64))


def _read(
    number: int, spool: Spool, latents: range, corpus: StoredCorpus, ground: Ground
) -> _Shard:
    n_ctx = ground.tokens.shape[1]
    origin = number * spool.shard_positions
    contexts = slice(origin // n_ctx, (origin + spool.shard_positions) // n_ctx)
    counted = corpus.counted[contexts]
    places = np.flatnonzero(counted).astype(np.uint32)
    tokens = ground.tokens[contexts].reshape(-1)[places]
    actives = Actives(places, tokens, np.empty(len(places), np.float32))
    by_token = by_latent(actives, ground.d_vocab)
    slices = read_slices(spool.paths[number], latents.start, latents.stop)
    in_contexts = by_token.places // np.uint32(n_ctx)
    return _Shard(
        slices, by_token.starts, by_token.places, in_contexts, origin, len(counted), n_ctx
    )


def _offer_shard(
    selection: Selection, tokens: _Favourites, shard: _Shard, first_latent: int, seed: int
) -> None:
    def part(latents: slice) -> None:
        ends = slice(latents.start, latents.stop + 1)
        slices = shard.slices._replace(starts=shard.slices.starts[ends])
        _offer(
            Selection(selection.keys[latents], selection.picks[latents]),
            tokens._replace(starts=tokens.starts[ends]),
            shard._replace(slices=slices),
            first_latent + latents.start,
            seed,
        )

    in_parts(len(selection.keys), part)


@compiled
def _offer(
    selection: Selection, tokens: _Favourites, shard: _Shard, first_latent: int, seed: int
) -> None:
    starts, places, n_ctx = shard.slices.starts, shard.slices.places, np.uint32(shard.n_ctx)
    lowest = np.empty(shard.n_contexts)  # priority drawn by a context's choice
    chosen = np.empty(shard.n_contexts, np.int64)  # that choice, a place of the corpus
    active = np.empty(shard.n_contexts, np.bool_)
    for latent in range(len(selection.keys)):
        state = latent_state(seed, first_latent + latent)
        lowest[:], active[:] = np.inf, False
        for entry in range(starts[latent], starts[latent + 1]):
            active[places[entry] // n_ctx] = True
        for number in range(tokens.starts[latent], tokens.starts[latent + 1]):
            token = tokens.tokens[number]
            for at in range(shard.token_starts[token], shard.token_starts[token + 1]):
                context = shard.token_contexts[at]
                if active[context]:
                    continue
                place: int = shard.origin + shard.token_places[at]
                drawn = priority(state, place, _SALT)
                if drawn < lowest[context]:
                    lowest[context], chosen[context] = drawn, place
        keys, picks = selection.keys[latent, 0], selection.picks[latent, 0]
        for context in range(shard.n_contexts):
            if lowest[context] < np.inf:
                offer(keys, picks, -lowest[context], chosen[context], chosen[context])


def _examples(picks: npt.NDArray[np.int64], corpus: StoredCorpus) -> Iterator[tuple[Example, ...]]:
    """Chosen places of the corpus [n_latents, k] as examples, the best first."""
    contexts, positions = np.divmod(picks, corpus.facts.context_size)
    contexts = np.where(picks < 0, -1, contexts)
    repeated, alike = np.zeros(picks.shape, np.bool_), np.zeros(picks.shape, np.bool_)
    n_alike = np.ones(picks.shape, np.int64)
    groups = np.array([0, picks.shape[1]])
    mark(contexts, positions, groups, corpus.tokens, repeated, n_alike, alike)
    columns = [column.tolist() for column in (contexts, positions, n_alike, alike)]
    for row in zip(*columns, strict=True):
        yield tuple(
            Example(context, position, 0.0, (), (), n_alike=times, alike=is_alike)
            for context, position, times, is_alike in zip(*row, strict=True)
            if context >= 0
        )
