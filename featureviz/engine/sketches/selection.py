"""The k best places of a group, one a context: by activation for the top, by hash for samples.

A sample chosen by the smallest hashes of (seed, latent, context, position) is uniform over
positions and the same whatever the order, batch, shard or worker that saw them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.engine.compiled import compiled


class Selection(NamedTuple):
    """For every latent and group up to k picks, best first; an unused one is -1.

    A pick is an entry, counted among the latent's activations in corpus order.
    """

    keys: npt.NDArray[np.float64]  # [n_latents, n_groups, k]; larger is better
    picks: npt.NDArray[np.int64]  # [n_latents, n_groups, k]


def empty_selection(n_latents: int, n_groups: int, k: int) -> Selection:
    """Before anything was seen."""
    shape = (n_latents, n_groups, k)
    return Selection(np.full(shape, -np.inf), np.full(shape, -1, np.int64))


@compiled
def offer(
    keys: npt.NDArray[np.float64],
    picks: npt.NDArray[np.int64],
    key: float,
    pick: int,
    context_first: int,
) -> None:
    """Offer one group [k] an entry, in corpus order; of equal keys the earlier stays ahead.

    `context_first` is the first entry of its context: a pick from there on is of the same one,
    and only the better of the two stays.
    """
    k = len(keys)
    if k == 0 or not key > keys[k - 1]:
        return
    at = k - 1
    for held in range(k):
        if picks[held] >= context_first:
            if not key > keys[held]:
                return
            at = held
            break
    while at > 0 and key > keys[at - 1]:
        keys[at] = keys[at - 1]
        picks[at] = picks[at - 1]
        at -= 1
    keys[at] = key
    picks[at] = pick


@compiled
def latent_state(seed: int, latent: int) -> np.uint64:
    """What the priorities of a latent's places start from."""
    return mix(mix(np.uint64(seed)) + np.uint64(latent))


@compiled
def priority(state: np.uint64, place: int, salt: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments (splitmix64, 53 bits)."""
    word = mix(mix(state + np.uint64(place)) + np.uint64(salt))
    return np.float64(word >> np.uint64(11)) * 2.0**-53


@compiled
def mix(word: np.uint64) -> np.uint64:
    """One step of splitmix64 (Steele, Lea, Flood 2014)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
