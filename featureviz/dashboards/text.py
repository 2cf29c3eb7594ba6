"""How tokens read: byte pieces are regrouped until they decode, so every script comes out right."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST = 4  # bytes of a UTF-8 character


@dataclass(frozen=True, slots=True)
class Glyph:
    """One or more neighbouring tokens that together decode to text."""

    text: str
    first: int  # index of its first token in the sequence
    count: int  # how many tokens it is made of


def glyphs(pieces: Sequence[bytes]) -> list[Glyph]:
    """Cut a sequence of token bytes into the smallest groups that are valid UTF-8.

    A group never spans more tokens than a character has bytes; what never decodes is shown as
    ‹E2›, one glyph a token.
    """
    found: list[Glyph] = []
    at = 0
    while at < len(pieces):
        glyph = _decodable(pieces, at) or Glyph(readable(pieces[at]), at, 1)
        found.append(glyph)
        at += glyph.count
    return found


def readable(piece: bytes) -> str:
    """A lone token as text; bytes that do not decode are written ‹E2›."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return piece.decode(errors="featureviz-hex") if piece else ""


def _decodable(pieces: Sequence[bytes], at: int) -> Glyph | None:
    joined = b""
    for count in range(1, min(_LONGEST, len(pieces) - at) + 1):
        joined += pieces[at + count - 1]
        try:
            return Glyph(joined.decode(), at, count)
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                return None
    return None


def _hex(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(f"‹{byte:02X}›" for byte in broken), error.end


codecs.register_error("featureviz-hex", _hex)
