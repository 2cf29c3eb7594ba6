"""The profile of one latent for a class of a reader's own, from the spooled activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from featureviz.dashboards.classes import Sums, pearson
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.expressions import Matched
from featureviz.dashboards.schema import ClassProfile, Dashboard
from featureviz.dashboards.slices import read_slices
from featureviz.dashboards.store import StoreError


@dataclass(frozen=True, slots=True)
class Profiled:
    """A profile and what its shares are of: all the corpus, or the contexts looked at."""

    profile: ClassProfile
    n_counted: int
    n_active: int
    sum_activation: float
    in_intervals: tuple[int, ...]  # of n_active, strongest interval first
    step: int = 1  # every so manieth context was looked at


@dataclass(frozen=True, slots=True)
class Firing:
    """Where one latent is active in a corpus."""

    places: npt.NDArray[np.int64]  # context * n_ctx + position, ascending
    values: npt.NDArray[np.float32]


def read_firing(shards: Sequence[Path], latent: int, shard_places: int) -> Firing:
    """All activations of a latent; a shard holds `shard_places` positions.

    Raises: StoreError when a shard is no longer kept.
    """
    places, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for number, path in enumerate(shards):
        try:
            found = read_slices(path, latent, latent + 1)
        except (OSError, SafetensorError) as error:
            raise StoreError(f"{path.name}: {error}") from error
        places.append(found.places + np.int64(number * shard_places))
        values.append(found.values)
    return Firing(np.concatenate(places), np.concatenate(values))


def own_class(
    name: str, dashboard: Dashboard, firing: Firing, corpus: StoredCorpus, found: Matched
) -> Profiled:
    """How a latent keeps to the tokens a pattern matched.

    Membership is known, so the proxy is a constant on members and negative elsewhere: the Pearson
    correlation is that of the activation with membership.
    """
    contexts, positions = np.divmod(firing.places, corpus.facts.context_size)
    looked_at = contexts % found.step == 0
    values = firing.values[looked_at].astype(np.float64)
    inside = found.inside[contexts[looked_at] // found.step, positions[looked_at]]
    n_counted = int(corpus.counted[:: found.step].sum())
    n_members, n = int(found.inside.sum()), len(dashboard.intervals)
    uppers = [interval.upper for interval in reversed(dashboard.intervals)]
    levels = np.minimum(np.searchsorted(uppers, values), n - 1)  # upper edges belong to theirs
    profile = ClassProfile(
        name=name,
        n_tokens=n_members,
        n_active=int(inside.sum()),
        total=float(values[inside].sum()),
        pearson=pearson(
            n_counted,
            Sums(float(values.sum()), float((values**2).sum())),
            Sums(n_members, n_members),
            float(values[inside].sum()),
        ),
        in_intervals=tuple(np.bincount(levels[inside], minlength=n)[::-1].tolist()),
    )
    return Profiled(
        profile,
        n_counted=n_counted,
        n_active=len(values),
        sum_activation=float(values.sum()),
        in_intervals=tuple(np.bincount(levels, minlength=n)[::-1].tolist()),
        step=found.step,
    )


def stored(profile: ClassProfile, dashboard: Dashboard) -> Profiled:
    """A profile computed in the run, over the whole corpus."""
    return Profiled(
        profile,
        n_counted=dashboard.n_tokens,
        n_active=dashboard.n_active,
        sum_activation=dashboard.sum_activation,
        in_intervals=tuple(interval.n_active for interval in dashboard.intervals),
    )
