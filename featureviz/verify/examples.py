"""The examples of one latent: their numbers, and that they are the ones the rules choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.schema import Dashboard, Example
from featureviz.verify.findings import Finding, number
from featureviz.verify.truth import Truth

_SHARE = 1e-4  # of the maximum: how far an activation may be off
_MASK = (1 << 64) - 1
_SILENT_SHOWN = 10
_INTERVAL_SALT, _RANDOM_SALT, _SILENT_SALT = 1, 2, 3  # docs/methods.md, "How a sample is drawn"


def activations_shown(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """Every activation of every example, and that none is missing."""
    tolerance = _SHARE * page.max_activation
    for name, example in _named(page):
        shown = dict(zip(example.positions, example.activations, strict=True))
        again = truth.at(page.index, example.context)
        far = max(
            (abs(shown.get(at, 0.0) - again.get(at, 0.0)) for at in shown.keys() | again.keys()),
            default=0.0,
        )
        yield number(page.index, f"{name}: largest error", far, 0.0, tolerance)
        peak = shown.get(example.position, 0.0)
        yield number(page.index, f"{name}: activation", example.activation, peak)


def top_contexts(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """The n-th example is the n-th strongest context, and no context stands twice."""
    f = truth.column(page.index)
    best = np.zeros(truth.plan.n_contexts)
    np.maximum.at(best, truth.spots[:, 0], f)
    strongest = np.sort(best[best > 0])[::-1][: truth.plan.sizes.n_top]
    yield number(page.index, "top: examples", len(page.top), len(strongest), 1)
    distinct = len({example.context for example in page.top})
    yield number(page.index, "top: distinct contexts", distinct, len(page.top))
    tolerance = _SHARE * page.max_activation
    for rank, (example, value) in enumerate(zip(page.top, strongest, strict=False), 1):
        yield number(page.index, f"top {rank}", example.activation, float(value), tolerance)


def samples(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """The sampled examples are those of the smallest hashes, drawn again in whole numbers."""
    f = truth.column(page.index)
    active = np.flatnonzero(f > 0)
    tolerance = 2  # contexts: an activation at an edge may count for the next interval
    sizes = truth.plan.sizes
    for place, interval in enumerate(page.intervals):
        upper = interval.upper if place else np.inf
        inside = active[(f[active] > interval.lower) & (f[active] <= upper)]
        chosen = _drawn(truth, page.index, inside, _INTERVAL_SALT, sizes.n_per_interval)
        name = f"interval {len(page.intervals) - place}"
        yield _missing(page.index, name, interval.examples, chosen, tolerance)
    chosen = _drawn(truth, page.index, active, _RANDOM_SALT, sizes.n_random)
    yield _missing(page.index, "random", page.random, chosen, tolerance)


def silent(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """Its favourite tokens (most of half its firing, five at most) where it is nowhere active."""
    wanted, covered = list[int](), 0
    for row in page.fires_on[:5]:
        if 2 * covered < page.n_active:
            wanted.append(row.token)
            covered += row.n_active
    f = truth.column(page.index)
    fires = np.unique(truth.spots[f > 0, 0])
    eligible = np.isin(truth.tokens, wanted) & ~np.isin(truth.spots[:, 0], fires)
    chosen = _drawn(truth, page.index, np.flatnonzero(eligible), _SILENT_SALT, _SILENT_SHOWN)
    yield _missing(page.index, "silent", page.silent, chosen, 2)


def _missing(
    latent: int,
    name: str,
    examples: Sequence[Example],
    chosen: set[tuple[int, int]],
    tolerance: float,
) -> Finding:
    shown = {(example.context, example.position) for example in examples}
    return number(latent, f"{name}: wrongly chosen", len(shown ^ chosen), 0, tolerance)


def _drawn(
    truth: Truth, latent: int, rows: npt.NDArray[np.intp], salt: int, k: int
) -> set[tuple[int, int]]:
    """The k contexts with the smallest priorities, each at its smallest [(context, position)]."""
    start = _mix((_mix(truth.plan.seed) + latent) & _MASK)
    lowest = dict[int, tuple[int, int]]()
    for context, position in truth.spots[rows].tolist():
        place = context * truth.plan.context_size + position
        priority = _mix((_mix((start + place) & _MASK) + salt) & _MASK) >> 11
        lowest[context] = min(lowest.get(context, (1 << 64, 0)), (priority, position))
    ranked = sorted(lowest.items(), key=lambda item: item[1])[:k]
    return {(context, position) for context, (_, position) in ranked}


def _mix(word: int) -> int:
    """One step of splitmix64, in Python's whole numbers."""
    word = (word + 0x9E3779B97F4A7C15) & _MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)


def _named(page: Dashboard) -> Iterator[tuple[str, Example]]:
    groups = {"top": page.top, "random": page.random}
    for rank, interval in enumerate(page.intervals):
        groups[f"interval {len(page.intervals) - rank}"] = interval.examples
    for name, examples in groups.items():
        for number_, example in enumerate(examples, 1):
            yield f"{name}, example {number_}", example
