"""Ranges of a number as people type them: those of the search box, and `2..` or `..0.1%`."""

import numpy as np
import numpy.typing as npt

from featureviz.browse.search.language import Range

_SPELLINGS = str.maketrans({"≥": ">=", "≤": "<=", "−": "-", "–": "..", "…": ".."})


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
