"""Classes of tokens, and how much likelier a text is in a class than in the corpus.

Two kinds. A *writing class* (a Unicode script, digits) is decided by characters: a token belongs
to it or not, and P(class | token) is known. An *alphabet* (DNA, base64, hexadecimal) is a way to
draw characters: P(text | class) is known. Both give the log-likelihood-ratio proxy of Bricken et
al. 2023, log P(s | class) - log P(s), taken over the strings s that end at a token: the largest
over windows of one to ten tokens that grow leftward, never over an uncounted position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex

from featureviz.dashboards.text import glyphs

WINDOW = 10  # tokens of the longest string looked at
IMPOSSIBLE = 1e-10  # the probability of what a class does not hold
CERTAIN = math.log(1000)  # nats; from here on a string is taken to be of an alphabet
NONE = -1  # the writing class of what is in none

_SCRIPTS = (
    "arabic", "hebrew", "cyrillic", "greek", "latin", "han", "hiragana", "katakana", "hangul",
    "devanagari", "bengali", "gurmukhi", "gujarati", "oriya", "tamil", "telugu", "kannada",
    "malayalam", "sinhala", "thai", "lao", "tibetan", "myanmar", "khmer", "georgian", "armenian",
    "ethiopic", "mongolian", "syriac", "thaana", "nko", "adlam", "cherokee", "tifinagh",
)  # fmt: skip
WRITING = (*_SCRIPTS, "digits")  # writing classes; their numbers are places in this tuple
_DIGITS = len(_SCRIPTS)
ALPHABETS = {
    "dna": "ACGT",
    "base64": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "hexadecimal": "0123456789abcdefABCDEF",
}
_LABELS = {
    "han": "Chinese characters",
    "hangul": "Korean script",
    "nko": "N’Ko script",
    "digits": "digits",
    "dna": "DNA",
    "base64": "base64",
    "hexadecimal": "hexadecimal digits",
}
PARTIAL = -2  # a token that decodes only beside its neighbours
_ROUNDING = 1e-12  # relative: less spread than this is none


class Sums(NamedTuple):
    """Of a series of numbers."""

    total: float
    squares: float


def label(name: str) -> str:
    """A class in words: `Arabic script`."""
    return _LABELS.get(name, f"{name.capitalize()} script")


@lru_cache(maxsize=1 << 16)
def writing_class(text: str) -> int:
    """The writing class all characters of a text are in, as its number; NONE if there is none.

    Blanks at its start are looked past: tokenizers glue the blank before a word to it.
    """
    found = {_class_of(character) for character in text.lstrip(" ")}
    return found.pop() if len(found) == 1 else NONE


def writing_score(p_class: float, base: float) -> float:
    """The proxy by Bayes, in nats: log P(class | s) - log P(class)."""
    return math.log(max(p_class, IMPOSSIBLE)) - math.log(base)


def unigrams(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """P(token) from counted positions [d_vocab], each token counted once more (Laplace)."""
    return (counts + 1) / (counts.sum() + len(counts))


def alphabet_weights(
    vocabulary: Sequence[bytes], probabilities: npt.NDArray[np.float64], characters: str
) -> npt.NDArray[np.float64]:
    """Log P(token | alphabet) - log P(token) of every token [d_vocab].

    A character is drawn with 1/n from the n of the alphabet; any other has 1e-10. Weights of the
    tokens of a string add up.
    """
    drawn, impossible = -math.log(len(characters)), math.log(IMPOSSIBLE)
    allowed = frozenset(characters)
    inside = [
        sum(drawn if character in allowed else impossible for character in _characters(piece))
        for piece in vocabulary
    ]
    return np.array(inside) - np.log(probabilities)


def best_suffix(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The largest sum of up to WINDOW weights that end at each position [n_contexts, n_ctx].

    -inf where a weight is -inf: no string passes over such a position.
    """
    running, best = weights, weights.copy()
    for _ in range(1, min(WINDOW, weights.shape[1])):
        longer = np.full_like(weights, -np.inf)
        longer[:, 1:] = weights[:, 1:] + running[:, :-1]
        running = longer
        np.maximum(best, running, out=best)
    return best


def writing_of_tokens(vocabulary: Sequence[bytes]) -> npt.NDArray[np.int8]:
    """The writing class of every token that decodes alone [d_vocab]; PARTIAL of the others."""
    return np.array([_writing_of(piece) for piece in vocabulary], np.int8)


def writing_of_rows(
    tokens: npt.NDArray[np.int32],
    counted: npt.NDArray[np.bool_],
    vocabulary: Sequence[bytes],
    by_token: npt.NDArray[np.int8],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """The writing class of every position [n, n_ctx], and where a character is unfinished.

    All tokens of a split character have its class; all but its last one are unfinished, as is one
    that never decodes. `by_token` is what `writing_of_tokens` gives.
    """
    classes = np.where(counted, by_token[tokens], NONE).astype(np.int8)
    unfinished = classes == PARTIAL
    for row in np.flatnonzero(unfinished.any(axis=1)):
        for first, end in _stretches(unfinished[row]):
            pieces = [vocabulary[token] for token in tokens[row, first:end]]
            for glyph in glyphs(pieces):
                at, stop = first + glyph.first, first + glyph.first + glyph.size
                whole = glyph.size > 1
                classes[row, at:stop] = writing_class(glyph.text) if whole else NONE
                unfinished[row, stop - 1] = not whole
    return classes, unfinished


def pearson(n: int, x: Sums, y: Sums, products: float) -> float | None:
    """The correlation of two series of n numbers from their sums; None where one never varies."""
    spread_x, spread_y = n * x.squares - x.total**2, n * y.squares - y.total**2
    if spread_x <= _ROUNDING * n * x.squares or spread_y <= _ROUNDING * n * y.squares:
        return None
    return (n * products - x.total * y.total) / math.sqrt(spread_x * spread_y)


def _stretches(where: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The longest runs of True, as [first, end)."""
    steps = np.diff(where.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return zip(starts.tolist(), ends.tolist(), strict=True)


def _writing_of(piece: bytes) -> int:
    try:
        return writing_class(piece.decode())
    except UnicodeDecodeError:
        return PARTIAL


def _characters(piece: bytes) -> str:
    return piece.decode(errors="replace")


@lru_cache(maxsize=1 << 16)
def _class_of(character: str) -> int:
    """By the Unicode property Script, then by Script_Extensions (the Arabic comma, vowel signs)."""
    if character.isdecimal() and character.isascii():
        return _DIGITS
    for pattern in _patterns():
        for number, matches in enumerate(pattern):
            if matches(character):
                return number
    return NONE


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[Callable[[str], object], ...], ...]:
    return tuple(
        tuple(regex.compile(rf"\p{{{property_}={script}}}").match for script in _SCRIPTS)
        for property_ in ("Script", "Script_Extensions")
    )
