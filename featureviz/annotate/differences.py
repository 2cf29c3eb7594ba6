"""What changed between two texts, word by word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that stayed, came or went."""

    text: str
    change: str  # "", "ins" or "del"


def differences(before: str, after: str) -> list[Piece]:
    """The later text with what it lost and what it gained; what stayed is whole."""
    old, new = _words(before), _words(after)
    pieces: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        pieces += _pieces(kind, "".join(old[a:b]), "".join(new[c:d]))
    return pieces


def _pieces(kind: str, lost: str, gained: str) -> Iterator[Piece]:
    if kind == "equal":
        yield Piece(gained, "")
        return
    if lost:
        yield Piece(lost, "del")
    if gained:
        yield Piece(gained, "ins")


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)
