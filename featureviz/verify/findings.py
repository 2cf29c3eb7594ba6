"""What a comparison found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One number of a page beside the same number computed again."""

    latent: int
    what: str  # such as "max_activation"
    page: float | None
    again: float | None
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the two agree within the tolerance; nothing agrees with nothing only."""
        if self.page is None or self.again is None:
            return self.page is self.again
        return math.isfinite(self.page) and abs(self.page - self.again) <= self.tolerance


Check = Callable[[int, str], Iterator[Finding]]


def number(
    latent: int, what: str, page: float | None, again: float | None, tolerance: float = 0.0
) -> Finding:
    """A number and its tolerance."""
    return Finding(
        latent,
        what,
        None if page is None else float(page),
        None if again is None else float(again),
        tolerance,
    )


def relative(latent: int, what: str, page: float, again: float, share: float = 1e-4) -> Finding:
    """A number that may differ by a share of its size, at least by a millionth."""
    return number(latent, what, page, again, max(1e-6, share * abs(float(again))))


def count(latent: int, what: str, page: int, again: int) -> Finding:
    """A count of positions: some lie so near a threshold that rounding decides about them.

    One in ten thousand, and two at least, may fall on the other side.
    """
    return number(latent, what, page, again, max(2.0, 1e-4 * again))
