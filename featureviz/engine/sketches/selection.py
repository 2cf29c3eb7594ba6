"""The k best places of a group, one a context: by activation for the top, by hash for samples.

A sample chosen by the smallest hashes of (seed, latent, context, position) is uniform over
positions and the same whatever the order, batch, shard or worker that saw them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled


class Place(NamedTuple):
    """A context's best position in a group, and where the context's activations are spooled."""

    place: int  # of the selecting position; context * n_ctx + position
    value: float  # activation there
    shard: int
    offset: int  # of the context's first activation in the latent's slice of the shard
    size: int  # how many it has


class Selection(NamedTuple):
    """For every latent and group, up to k places, best first; unused ones have size 0."""

    keys: npt.NDArray[np.float64]  # [n_latents, n_groups, k]; larger is better
    places: npt.NDArray[np.int64]  # [n_latents, n_groups, k]; of the selecting position
    values: npt.NDArray[np.float32]  # [n_latents, n_groups, k]; activation there
    shards: npt.NDArray[np.int32]  # [n_latents, n_groups, k]; where the context's activations are:
    offsets: npt.NDArray[np.int64]  # first entry in the latent's slice of that shard
    sizes: npt.NDArray[np.int32]  # how many


def empty_selection(n_latents: int, n_groups: int, k: int) -> Selection:
    """Before anything was seen."""
    shape = (n_latents, n_groups, k)
    return Selection(
        np.full(shape, -np.inf, np.float64),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int32),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int32),
    )


@compiled
def selection_offer(
    selection: Selection, latent: int, group: int, key: float, offered: Place
) -> None:
    """Offer a context's best place; among equal keys the one offered first stays ahead."""
    keys = selection.keys[latent, group]
    k = len(keys)
    if k == 0 or not key > keys[k - 1]:
        return
    at = k - 1
    while at > 0 and key > keys[at - 1]:
        _move(selection, latent, group, at - 1, at)
        at -= 1
    keys[at] = key
    selection.places[latent, group, at] = offered.place
    selection.values[latent, group, at] = offered.value
    selection.shards[latent, group, at] = offered.shard
    selection.offsets[latent, group, at] = offered.offset
    selection.sizes[latent, group, at] = offered.size


@compiled
def _move(selection: Selection, latent: int, group: int, source: int, target: int) -> None:
    selection.keys[latent, group, target] = selection.keys[latent, group, source]
    selection.places[latent, group, target] = selection.places[latent, group, source]
    selection.values[latent, group, target] = selection.values[latent, group, source]
    selection.shards[latent, group, target] = selection.shards[latent, group, source]
    selection.offsets[latent, group, target] = selection.offsets[latent, group, source]
    selection.sizes[latent, group, target] = selection.sizes[latent, group, source]


@compiled
def priority(seed: int, latent: int, place: int, salt: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments (splitmix64, 53 bits)."""
    step = np.uint64(0x9E3779B97F4A7C15)
    state = _mix(np.uint64(seed) * step + np.uint64(latent) + step)
    state = _mix(state + np.uint64(place) + step)
    state = _mix(state + np.uint64(salt) + step)
    return np.float64(state >> np.uint64(11)) / 9007199254740992.0


@compiled
def _mix(state: np.uint64) -> np.uint64:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
