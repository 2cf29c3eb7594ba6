"""Latents side by side: figures of a pair, from the places where each is active.

Nothing here asks which dictionary or model a latent is of: activations over one corpus can be
compared whatever brought them about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.classes import Sums, pearson
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.own_class import Firing, read_firing

Token = TypeVar("Token", bound=Hashable)
FIRINGS_HELD = 16  # latents; one that is active on a million tokens takes 12 MB


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two latents over one corpus."""

    n_both: int  # counted positions where both are active
    n_either: int
    correlation: float | None  # Pearson over all counted positions; None: one never varies

    @property
    def jaccard(self) -> float:
        """The share of both in either; 0 where neither ever fires."""
        return self.n_both / self.n_either if self.n_either else 0.0


def meet(a: Firing, b: Firing, n_tokens: int) -> Meeting:
    """Compare two latents at the same `n_tokens` counted places.

    Sums are float64. Source: Bricken et al. 2023 for the correlation of activations.
    """
    _, in_a, in_b = np.intersect1d(a.places, b.places, assume_unique=True, return_indices=True)
    x, y = a.values.astype(np.float64), b.values.astype(np.float64)
    correlation = pearson(n_tokens, _sums(x), _sums(y), float(x[in_a] @ y[in_b]))
    bounded = None if correlation is None else min(1.0, max(-1.0, correlation))
    return Meeting(len(in_a), len(x) + len(y) - len(in_a), bounded)


def fired_tokens(firing: Firing, corpus: StoredCorpus) -> Counter[int]:
    """How often a latent is active on each token id."""
    contexts, positions = np.divmod(firing.places, corpus.facts.context_size)
    tokens, counts = np.unique(corpus.tokens[contexts, positions], return_counts=True)
    return Counter(dict(zip(tokens.tolist(), counts.tolist(), strict=True)))


def overlap(a: Mapping[Token, int], b: Mapping[Token, int]) -> float | None:
    """What two latents' shares of firing on each token have in common: Σ min(share, share).

    1: on every token the same share of firing; 0: no token in common; none where one never fires.
    """
    n_a, n_b = sum(a.values()), sum(b.values())
    if not n_a or not n_b:
        return None
    return sum(min(a[token] / n_a, b[token] / n_b) for token in a.keys() & b.keys())


def in_context(firing: Firing, context: int, size: int) -> dict[int, float]:
    """Where in a context of `size` positions a latent is active, and how strongly."""
    low, high = np.searchsorted(firing.places, (context * size, (context + 1) * size))
    positions = (firing.places[low:high] - context * size).tolist()
    return dict(zip(positions, firing.values[low:high].tolist(), strict=True))


@lru_cache(maxsize=FIRINGS_HELD)
def firing_of(run: Path, latent: int, n_shards: int, shard_places: int) -> Firing:
    """All activations of one latent, or end, of a run. Raises: StoreError when they are gone."""
    shards = [run / "shards" / f"{number:05d}.safetensors" for number in range(n_shards)]
    return read_firing(shards, latent, shard_places)


def _sums(values: npt.NDArray[np.float64]) -> Sums:
    return Sums(float(values.sum()), float(values @ values))
