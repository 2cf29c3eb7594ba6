"""Ranges of a number as people type them: `0.1%..1%`, `>3`, `<=0.5`, `..2`, `7`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?%?"
_COMPARED = re.compile(rf"(>=|<=|>|<|=)?({_NUMBER})\Z")
_BETWEEN = re.compile(rf"({_NUMBER})?\.\.({_NUMBER})?\Z")
_SPELLINGS = str.maketrans({"≥": ">=", "≤": "<=", "−": "-", "–": "..", "…": ".."})


class RangeError(ValueError):
    """A text that is not a range; the message says what is."""


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `low` to `high`, ends included unless they are left out."""

    low: float = -math.inf
    high: float = math.inf
    without_low: bool = False
    without_high: bool = False

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read a range. Raises: RangeError when it is none, or holds nothing."""
        typed = tidy(text)
        if (found := _COMPARED.match(typed)) is not None:
            return cls._compared(found[1] or "=", _number(found[2]))
        found = _BETWEEN.match(typed)
        if found is None or not (found[1] or found[2]):
            raise RangeError(f"“{text}” is not a range: write 0.1%..1%, >3, <=0.5 or 7.")
        low = _number(found[1]) if found[1] else -math.inf
        high = _number(found[2]) if found[2] else math.inf
        if low > high:
            raise RangeError(f"“{text}” runs backwards: write the smaller number first.")
        return cls(low, high)

    @classmethod
    def _compared(cls, sign: str, number: float) -> Range:
        match sign:
            case ">" | ">=":
                return cls(low=number, without_low=sign == ">")
            case "<" | "<=":
                return cls(high=number, without_high=sign == "<")
        return cls(number, number)

    def holds(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which numbers lie in it; NaN never does."""
        above = numbers > self.low if self.without_low else numbers >= self.low
        below = numbers < self.high if self.without_high else numbers <= self.high
        return above & below


def tidy(text: str) -> str:
    """A typed range without blanks, in plain signs: as it stands in an address."""
    return "".join(text.split()).translate(_SPELLINGS).lower()


def _number(text: str) -> float:
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)
