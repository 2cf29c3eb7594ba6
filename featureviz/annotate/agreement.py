"""What ratings say together: how scores spread, and how far raters agree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import krippendorff
import numpy as np

Judgement = tuple[object, object, float]  # rater, unit, value


@dataclass(frozen=True, slots=True)
class Spread:
    """Scores of one dictionary; quartiles by linear interpolation."""

    n: int
    least: float
    lower: float  # quartile
    median: float
    upper: float  # quartile
    most: float
    counts: tuple[int, ...]  # of 0, 1, … points; a half counts with the lower number

    @classmethod
    def of(cls, scores: Sequence[float], most: int) -> "Spread | None":
        """None without scores."""
        if not scores:
            return None
        least, lower, middle, upper, greatest = np.quantile(scores, (0, 0.25, 0.5, 0.75, 1))
        counts = np.bincount(np.floor(scores).astype(int), minlength=most + 1)
        return cls(
            len(scores),
            float(least),
            float(lower),
            float(middle),
            float(upper),
            float(greatest),
            tuple(map(int, counts)),
        )


def alpha(judgements: Iterable[Judgement]) -> float | None:
    """Krippendorff's alpha of ordinal values: 1 agreement, 0 as by chance, below 0 worse.

    Raters may leave units out. None where it is not defined: no unit has two values, or all values
    are the same. (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".)
    """
    known = {(rater, unit): value for rater, unit, value in judgements}
    raters = list(dict.fromkeys(rater for rater, _ in known))
    units = list(dict.fromkeys(unit for _, unit in known))
    table = np.array(
        [[known.get((rater, unit), np.nan) for unit in units] for rater in raters], dtype=float
    ).reshape(len(raters), len(units))
    paired = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=paired, level_of_measurement="ordinal"))
