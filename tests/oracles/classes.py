"""The proxy and membership of every position, the slow way: all windows, read as text.

Plain Python over one context at a time. It shares no code with the project, but for the list of
its classes, and knows scripts by the names of their characters.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

DNA = "ACGT"


@dataclass(frozen=True)
class Spot:
    """One counted position."""

    context: int
    position: int
    token: int
    piece: bytes
    before: tuple[tuple[int, bytes], ...]  # up to nine counted tokens that lead up to it, in order
    after: bytes  # of the tokens that follow without a gap
    n_before: int  # bytes of all counted tokens that lead up to it without a gap


def spots(
    tokens: Sequence[Sequence[int]], counted: Sequence[Sequence[bool]], vocabulary: list[bytes]
) -> list[Spot]:
    """Every counted position, in corpus order."""
    found = []
    for context, (row, counts) in enumerate(zip(tokens, counted, strict=True)):
        for position, token in enumerate(row):
            if not counts[position]:
                continue
            first = position
            while first and counts[first - 1]:
                first -= 1
            last = position
            while last + 1 < len(row) and counts[last + 1]:
                last += 1
            run = [(int(each), vocabulary[each]) for each in row[first:position]]
            after = b"".join(vocabulary[each] for each in row[position + 1 : last + 1])
            found.append(
                Spot(
                    context, position, int(token), vocabulary[token], tuple(run[-9:]), after,
                    sum(len(piece) for _, piece in run),
                )
            )  # fmt: skip
    return found


def in_script(text: str, word: str) -> bool:
    """Whether a text, without the blanks before it, is of characters named after a script."""
    core = text.lstrip(" ")
    return bool(core) and all(unicodedata.name(c, "").startswith(word) for c in core)


def alphabet_score(spot: Spot, p: dict[int, float], letters: str) -> float:
    """The largest log P(s | alphabet) - log P(s) over strings of one to ten tokens."""
    window = [*spot.before, (spot.token, spot.piece)]
    best = -math.inf
    for start in range(len(window)):
        text = b"".join(piece for _, piece in window[start:]).decode(errors="replace")
        inside = math.prod(1 / len(letters) if c in letters else 1e-10 for c in text)
        whole = math.prod(p[token] for token, _ in window[start:])
        best = max(best, math.log(inside) - math.log(whole) if inside and whole else -math.inf)
    return best


def laplace(found: list[Spot], d_vocab: int) -> dict[int, float]:
    """P(token), every token counted once more."""
    counts = Counter(spot.token for spot in found)
    return {token: (counts[token] + 1) / (len(found) + d_vocab) for token in range(d_vocab)}
