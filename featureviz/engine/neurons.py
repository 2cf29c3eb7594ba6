"""Latents beside the neurons they are written in, at hook points whose coordinates are neurons.

Alignment looks at weights, correlation at the corpus: over every counted token, the activation of a
latent and what flows through the hook at a neuron. Sums are float64, in corpus order within a shard
and in shard order between shards. Source: Bricken et al. 2023; sae_vis shows the same panels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from msgspec.structs import replace
from safetensors import safe_open
from torch import Tensor

from featureviz.dashboards.schema import Dashboard, NeuronCorrelation, NeuronWeight
from featureviz.dashboards.slices import LatentSlices
from featureviz.engine.activations import Actives
from featureviz.engine.compiled import compiled
from featureviz.engine.dictionaries.base import Dictionary, DictionaryFacts
from featureviz.engine.spool import by_latent
from featureviz.engine.subject import Subject
from featureviz.engine.threads import in_parts

LIMIT = 256 << 20  # bytes of products a shard may gather; beyond it correlations are left out

_SHOWN = 3
_PREFIX = "neurons."  # of the arrays' names in a shard's file

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


class NeuronMoments(NamedTuple):
    """Latents and neurons over a stretch of corpus; positions that do not count are left out."""

    products: Floats  # [n_latents, n_neurons] sum of activation times neuron
    weakest: Singles  # [n_latents] smallest activation > 0; infinity where it is never active
    totals: Floats  # [n_neurons]
    squares: Floats  # [n_neurons]
    lowest: Singles  # [n_neurons]
    highest: Singles  # [n_neurons]

    def followed_by(self, later: NeuronMoments) -> NeuronMoments:
        """Of both stretches; the order matters, as float sums depend on it."""
        return NeuronMoments(
            self.products + later.products,
            np.minimum(self.weakest, later.weakest),
            self.totals + later.totals,
            self.squares + later.squares,
            np.minimum(self.lowest, later.lowest),
            np.maximum(self.highest, later.highest),
        )


def empty_moments(n_latents: int, n_neurons: int) -> NeuronMoments:
    """Before anything was seen."""
    return NeuronMoments(
        np.zeros((n_latents, n_neurons)),
        np.full(n_latents, np.inf, np.float32),
        np.zeros(n_neurons),
        np.zeros(n_neurons),
        np.full(n_neurons, np.inf, np.float32),
        np.full(n_neurons, -np.inf, np.float32),
    )


def left_out(n_latents: int, n_neurons: int) -> str:
    """Why so many products are not gathered; empty where they are."""
    needed = n_latents * n_neurons * np.dtype(np.float64).itemsize
    if needed <= LIMIT:
        return ""
    return (
        f"{n_latents:,} latents by {n_neurons:,} neurons are {needed / 1e6:,.0f} MB of sums a "
        f"shard; beyond {LIMIT / 1e6:,.0f} MB they are not gathered."
    )


@dataclass
class NeuronGatherer:
    """Gathers the moments of a shard batch by batch, where there are neurons; else nothing."""

    moments: NeuronMoments | None
    counted: npt.NDArray[np.bool_]  # [n_contexts * n_ctx] of the shard
    place: int = 0  # where the next batch begins

    @classmethod
    def of(cls, facts: DictionaryFacts, counted: npt.NDArray[np.bool_]) -> NeuronGatherer:
        """Before the first batch of a shard whose contexts are `counted` [n_contexts, n_ctx]."""
        wanted = Subject.has_neurons(facts.hook) and not left_out(facts.d_sae, facts.d_in)
        moments = empty_moments(facts.d_sae, facts.d_in) if wanted else None
        return cls(moments, np.asarray(counted).reshape(-1))

    def add(self, actives: Actives, x: Float[Tensor, "n n_neurons"]) -> None:
        """Add the next contexts: their activations, and what flows through the hook."""
        if self.moments is None:
            return
        start, self.place = self.place, self.place + len(x)
        counted = self.counted[start : self.place]
        gather(self.moments, actives, x.float().cpu().numpy(), counted, start)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What a shard's file is to keep."""
        if self.moments is None:
            return {}
        return {f"{_PREFIX}{name}": array for name, array in self.moments._asdict().items()}


def gather(
    moments: NeuronMoments,
    actives: Actives,
    x: Singles,
    counted: npt.NDArray[np.bool_],
    first: int,
) -> None:
    """Add activations, and the rows of `x` [n, n_neurons] that `counted` [n] says count.

    Row r is the place `first + r` of the shard. Latent by latent, so that its row of products stays
    in the cache; its activations still come in corpus order.
    """
    slices = by_latent(actives, len(moments.products))

    def part(latents: slice) -> None:
        own = slices._replace(starts=slices.starts[latents.start : latents.stop + 1])
        _add_products(moments.products[latents], moments.weakest[latents], own, x, first)

    in_parts(len(moments.products), part)
    _add_neurons(moments, x, counted)


def read_moments(path: Path, latents: range) -> NeuronMoments:
    """What a shard's file holds of some latents and all neurons; no other latent is read."""
    with safe_open(path, framework="numpy") as shard:
        own = {
            name: np.asarray(shard.get_slice(_PREFIX + name)[latents.start : latents.stop])
            for name in ("products", "weakest")
        }
        shared = {
            name: np.asarray(shard.get_tensor(_PREFIX + name))
            for name in NeuronMoments._fields
            if name not in own
        }
    return NeuronMoments(**own, **shared)


def merged(parts: Iterable[NeuronMoments]) -> NeuronMoments:
    """Of all shards, given in their order."""
    return reduce(NeuronMoments.followed_by, parts)


def with_neurons(
    dashboards: Sequence[Dashboard], dictionary: Dictionary, shards: Sequence[Path]
) -> list[Dashboard]:
    """The dashboards of consecutive latents with both panels, where the hook has neurons."""
    if not dashboards or not Subject.has_neurons(dictionary.facts.hook):
        return list(dashboards)
    first, last = dashboards[0].index, dashboards[-1].index
    aligned = with_alignment(dashboards, dictionary.W_dec[first : last + 1].cpu().numpy())
    if reason := left_out(dictionary.facts.d_sae, dictionary.facts.d_in):
        return [replace(dashboard, correlated_neurons_left_out=reason) for dashboard in aligned]
    moments = merged(read_moments(path, range(first, last + 1)) for path in shards)
    return with_correlated(aligned, moments)


def with_alignment(
    dashboards: Sequence[Dashboard], directions: npt.NDArray[np.floating]
) -> list[Dashboard]:
    """The dashboards with the largest coordinates of their latents' directions [n, n_neurons]."""
    return [
        replace(dashboard, neuron_alignment=_alignment(row.astype(np.float64)))
        for dashboard, row in zip(dashboards, directions, strict=True)
    ]


def with_correlated(dashboards: Sequence[Dashboard], moments: NeuronMoments) -> list[Dashboard]:
    """The dashboards with the neurons that go most with their latents."""
    found = []
    for dashboard, products, weakest in zip(
        dashboards, moments.products, moments.weakest, strict=True
    ):
        pearson, cosine = _correlations(dashboard, products, float(weakest), moments)
        best = np.argsort(-pearson, kind="stable")[:_SHOWN]
        rows = [
            NeuronCorrelation(int(neuron), float(pearson[neuron]), float(cosine[neuron]))
            for neuron in best
            if np.isfinite(pearson[neuron])
        ]
        found.append(replace(dashboard, correlated_neurons=tuple(rows)))
    return found


def _alignment(direction: Floats) -> tuple[NeuronWeight, ...]:
    """By size, not by sign: a latent may write against its neurons. None of a zero direction."""
    sizes = np.abs(direction)
    norm = sizes.sum()
    best = np.argsort(-sizes, kind="stable")[:_SHOWN]
    return tuple(
        NeuronWeight(int(neuron), float(direction[neuron]), float(sizes[neuron] / norm))
        for neuron in best
        if sizes[neuron]
    )


def _correlations(
    dashboard: Dashboard, products: Floats, weakest: float, moments: NeuronMoments
) -> tuple[Floats, Floats]:
    """Pearson and cosine with every neuron; NaN where either series never varies."""
    n, total, squares = (
        dashboard.n_tokens,
        dashboard.sum_activation,
        dashboard.sum_squared_activation,
    )
    spread = n * squares - total * total
    spreads = n * moments.squares - moments.totals * moments.totals
    varies = (moments.lowest < moments.highest) & (spreads > 0) & (spread > 0)
    if dashboard.n_active == n and weakest == dashboard.max_activation:
        varies[:] = False
    pearson = np.full(len(products), np.nan)
    cosine = pearson.copy()
    if not varies.any():
        return pearson, cosine
    shared = n * products[varies] - total * moments.totals[varies]
    pearson[varies] = np.clip(shared / np.sqrt(spread) / np.sqrt(spreads[varies]), -1, 1)
    cosine[varies] = products[varies] / np.sqrt(squares) / np.sqrt(moments.squares[varies])
    return pearson, cosine


@compiled
def _add_products(
    products: Floats, weakest: Singles, slices: LatentSlices, x: Singles, first: int
) -> None:
    for latent in range(len(products)):
        sums = products[latent]
        for entry in range(slices.starts[latent], slices.starts[latent + 1]):
            activation = np.float64(slices.values[entry])
            row = x[slices.places[entry] - first]
            for neuron in range(len(sums)):
                sums[neuron] += activation * np.float64(row[neuron])
            weakest[latent] = min(weakest[latent], slices.values[entry])


@compiled
def _add_neurons(moments: NeuronMoments, x: Singles, counted: npt.NDArray[np.bool_]) -> None:
    for place in range(len(x)):
        if not counted[place]:
            continue
        row = x[place]
        for neuron in range(len(row)):
            value = np.float64(row[neuron])
            moments.totals[neuron] += value
            moments.squares[neuron] += value * value
            moments.lowest[neuron] = min(moments.lowest[neuron], row[neuron])
            moments.highest[neuron] = max(moments.highest[neuron], row[neuron])
