"""What a dashboard must say, computed the slow way from all activations of one latent.

Plain Python over every (context, position): exact fractions for bins, fsum for sums, sorting for
ranks. It shares no code with the engine.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Spot = tuple[int, int]  # (context, position)


@dataclass(frozen=True)
class Expected:
    """One latent over a whole corpus."""

    n_active: int
    n_active_contexts: int
    total: float
    total_squares: float
    maximum: float  # 0 when dead
    histogram: list[int]  # half-open (lo, hi] bins over (0, maximum]; empty when dead
    top: list[tuple[Spot, float]]  # distinct contexts, strongest first
    intervals: list[dict[Spot, float]]  # all spots of each, weakest interval first
    everywhere: dict[Spot, float]  # every active spot
    tokens: dict[int, tuple[int, float]]  # token: active spots with it, their sum


def expected(
    activations: npt.NDArray[np.float32],
    counted: npt.NDArray[np.bool_],
    tokens: npt.NDArray[np.int32],
    *,
    n_bins: int,
    n_intervals: int,
    n_top: int,
) -> Expected:
    """One latent's dashboard from its activations [n_contexts, n_ctx]."""
    everywhere = {
        (context, position): float(value)
        for (context, position), value in np.ndenumerate(activations)
        if counted[context, position] and value > 0
    }
    maximum = max(everywhere.values(), default=0.0)
    per_token: dict[int, list[float]] = defaultdict(list)
    for spot, value in everywhere.items():
        per_token[int(tokens[spot])].append(value)
    bins = Counter(_interval(value, maximum, n_bins) for value in everywhere.values())
    return Expected(
        n_active=len(everywhere),
        n_active_contexts=len({context for context, _ in everywhere}),
        total=math.fsum(everywhere.values()),
        total_squares=math.fsum(value**2 for value in everywhere.values()),
        maximum=maximum,
        histogram=[bins[number] for number in range(n_bins)] if everywhere else [],
        top=_best_of_each_context(everywhere)[:n_top],
        intervals=[
            {
                spot: value
                for spot, value in everywhere.items()
                if _interval(value, maximum, n_intervals) == number
            }
            for number in range(n_intervals)
        ],
        everywhere=everywhere,
        tokens={token: (len(found), math.fsum(found)) for token, found in per_token.items()},
    )


def _interval(value: float, maximum: float, n: int) -> int:
    """The k with k/n < value/maximum <= (k + 1)/n, in exact arithmetic."""
    return math.ceil(Fraction(value) * n / Fraction(maximum)) - 1


def _best_of_each_context(everywhere: dict[Spot, float]) -> list[tuple[Spot, float]]:
    best: list[tuple[Spot, float]] = []
    seen = set()
    for spot, value in sorted(everywhere.items(), key=lambda item: (-item[1], item[0])):
        if spot[0] not in seen:
            seen.add(spot[0])
            best.append((spot, value))
    return best
