"""The token profile of latents: how they keep to classes of tokens, by level of activation.

Share of active tokens in a class, the same by interval and weighted by activation, and the
correlation with the log-likelihood-ratio proxy. Source: Bricken et al. 2023; docs/methods.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from featureviz.dashboards.class_store import CorpusClasses
from featureviz.dashboards.classes import Sums, pearson
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import ClassProfile, Dashboard
from featureviz.dashboards.slices import LatentSlices, read_slices
from featureviz.engine.compiled import compiled
from featureviz.engine.sketches.histogram import bin_of

_LEAST_SHARE = 0.01  # of the active tokens: classes that hold fewer are not stored
_ALWAYS = 3  # classes stored whatever their share: the best correlated


class Tally(NamedTuple):
    """What is gathered of a block of latents, class by class; grows in corpus order."""

    active: npt.NDArray[np.int64]  # [n_latents, n_classes, n_intervals], weakest first
    totals: npt.NDArray[np.float64]  # [n_latents, n_classes]; activation in the class
    products: npt.NDArray[np.float64]  # [n_latents, n_classes]; activation times max(proxy, 0)


def with_profiles(
    dashboards: Sequence[Dashboard], corpus: StoredCorpus, shards: Sequence[Path], shard_size: int
) -> list[Dashboard]:
    """The dashboards of consecutive latents with their profiles, from the spooled shards.

    `shard_size` is in contexts. The corpus's classes are worked out when first needed.
    """
    classes = CorpusClasses.of(corpus)
    edges = _edges(dashboards)
    first, n = dashboards[0].index, len(dashboards)
    shape = n, len(classes.facts)
    tally = Tally(
        np.zeros((*shape, edges.shape[1] - 1), np.int64), np.zeros(shape), np.zeros(shape)
    )
    for number, path in enumerate(shards):
        start = number * shard_size
        marks = classes.marks(range(start, min(start + shard_size, corpus.facts.n_contexts)))
        _add(tally, edges, read_slices(path, first, first + n), marks.members, marks.scores)
    return [
        replace(dashboard, profiles=_stored(dashboard, _profiles(dashboard, row, tally, classes)))
        for row, dashboard in enumerate(dashboards)
    ]


def _edges(dashboards: Sequence[Dashboard]) -> npt.NDArray[np.float64]:
    """The intervals' edges [n_latents, n_intervals + 1]; zeros for a dead latent."""
    edges = np.zeros((len(dashboards), max(len(one.intervals) for one in dashboards) + 1))
    for row, dashboard in zip(edges, dashboards, strict=True):
        if dashboard.intervals:
            row[1:] = [interval.upper for interval in reversed(dashboard.intervals)]
    return edges


def _profiles(
    dashboard: Dashboard, row: int, tally: Tally, classes: CorpusClasses
) -> list[ClassProfile]:
    activations = Sums(dashboard.sum_activation, dashboard.sum_squared_activation)
    return [
        ClassProfile(
            name=one.name,
            n_tokens=one.n_tokens,
            n_active=int(tally.active[row, column].sum()),
            total=float(tally.totals[row, column]),
            pearson=pearson(
                dashboard.n_tokens,
                activations,
                Sums(one.total, one.squares),
                float(tally.products[row, column]),
            ),
            in_intervals=tuple(tally.active[row, column, ::-1].tolist()),
        )
        for column, one in enumerate(classes.facts)
    ]


def _stored(dashboard: Dashboard, profiles: list[ClassProfile]) -> tuple[ClassProfile, ...]:
    """Those worth their room, the best correlated first."""
    found = [one for one in profiles if one.n_active]
    found.sort(key=lambda one: (-(-2.0 if one.pearson is None else one.pearson), one.name))
    least = _LEAST_SHARE * dashboard.n_active
    return tuple(one for rank, one in enumerate(found) if rank < _ALWAYS or one.n_active >= least)


@compiled
def _add(
    tally: Tally,
    edges: npt.NDArray[np.float64],
    slices: LatentSlices,
    members: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float32],
) -> None:
    for latent in range(len(slices.starts) - 1):
        active, totals = tally.active[latent], tally.totals[latent]
        products = tally.products[latent]
        for entry in range(slices.starts[latent], slices.starts[latent + 1]):
            place, value = slices.places[entry], np.float64(slices.values[entry])
            interval = bin_of(value, edges[latent])
            for column in range(members.shape[1]):
                if members[place, column]:
                    active[column, interval] += 1
                    totals[column] += value
                if scores[place, column] > 0:
                    products[column] += value * scores[place, column]
