"""Ranges of a number as people type them: `0.1%..1%`, `>3`, `<=0.5`, `2..`, `7`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NUMBER = r"(-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(%?)"
_RANGE = re.compile(rf"{_NUMBER}\.\.{_NUMBER}")
_COMPARED = re.compile(rf"(<=|>=|<|>|=)?{_NUMBER}")
_SPELLINGS = str.maketrans({"≥": ">=", "≤": "<=", "−": "-", "–": "..", "…": ".."})


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two bounds."""

    low: float = -math.inf
    high: float = math.inf
    low_included: bool = True
    high_included: bool = True

    @property
    def is_one(self) -> bool:
        """Whether a single number lies in it."""
        return self.low == self.high

    def __str__(self) -> str:
        if self.is_one:
            return f"={_number(self.low)}"
        if self.low == -math.inf:
            return f"<{'=' * self.high_included}{_number(self.high)}"
        if self.high == math.inf:
            return f">{'=' * self.low_included}{_number(self.low)}"
        return f"{_number(self.low)}..{_number(self.high)}"

    @classmethod
    def parse(cls, text: str) -> Range | None:
        """Read `<0.1`, `>=3`, `0.1%..1%` or `5`; none where it is not one of these."""
        if match := _RANGE.fullmatch(text):
            low, high = _value(match[1], match[2]), _value(match[3], match[4])
            return cls(min(low, high), max(low, high))
        match = _COMPARED.fullmatch(text)
        if not match:
            return None
        value = _value(match[2], match[3])
        match match[1]:
            case "<" | "<=" as sign:
                return cls(high=value, high_included=sign == "<=")
            case ">" | ">=" as sign:
                return cls(low=value, low_included=sign == ">=")
        return cls(value, value)


class RangeError(ValueError):
    """A text that is not a range; the message says what is."""


def read_range(text: str) -> Range:
    """Read a range. Raises: RangeError when it is none."""
    typed = tidy(text)
    low, between, high = typed.partition("..")
    if between and not (low and high):
        typed = f">={low}" if low else f"<={high}"
    found = Range.parse(typed)
    if found is None:
        raise RangeError(f"“{text}” is not a range: write 0.1%..1%, >3, <=0.5 or 7.")
    return found


def holds(wanted: Range, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which numbers lie in a range; NaN never does."""
    above = numbers >= wanted.low if wanted.low_included else numbers > wanted.low
    below = numbers <= wanted.high if wanted.high_included else numbers < wanted.high
    return np.asarray(above & below)


def tidy(text: str) -> str:
    """A typed range without blanks, in plain signs: as it stands in an address."""
    return "".join(text.split()).translate(_SPELLINGS).lower()


def _value(text: str, percent: str) -> float:
    return float(text) / 100 if percent else float(text)


def _number(value: float) -> str:
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
