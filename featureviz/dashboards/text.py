"""How tokens read: byte pieces are regrouped until they decode, so every script comes out right."""

import codecs
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

_LONGEST = 4  # bytes of a UTF-8 character
_VOCABULARY = 1 << 16  # what is worked out once for each token


class Glyph(NamedTuple):
    """One or more neighbouring tokens that together decode to text."""

    text: str
    first: int  # index of its first token in the sequence
    size: int  # how many tokens it is made of


def glyphs(pieces: Sequence[bytes]) -> list[Glyph]:
    """Cut a sequence of token bytes into the smallest groups that are valid UTF-8.

    A group never spans more tokens than a character has bytes; what never decodes is shown as
    ‹E2›, one glyph a token.
    """
    found: list[Glyph] = []
    at = 0
    while at < len(pieces):
        alone = _alone(pieces[at])
        glyph = Glyph(alone, at, 1) if alone is not None else _joined(pieces, at)
        found.append(glyph)
        at += glyph.size
    return found


def drawn(pieces: Sequence[bytes]) -> tuple[tuple[str, ...], Sequence[int]]:
    """The glyphs of a sequence as they are drawn, and the index of the first token of each."""
    texts = tuple(map(_drawn_alone, pieces))
    if None not in texts:
        return cast("tuple[str, ...]", texts), range(len(texts))
    found = glyphs(pieces)
    return tuple(visible(glyph.text) for glyph in found), [glyph.first for glyph in found]


def readable(piece: bytes) -> str:
    """A lone token as text; bytes that do not decode are written ‹E2›."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return piece.decode(errors="featureviz-hex") if piece else ""


@dataclass(frozen=True, slots=True)
class Script:
    """A writing system: how its text runs, and which language to name where one is likely."""

    name: str
    lang: str = ""  # a BCP 47 tag; empty where it would be a guess
    direction: str = "ltr"
    joined: bool = False  # letters connect: no bold and no gap inside a word


LATIN = Script("latin")
_SCRIPTS = {
    script.name: script
    for script in (
        Script("arabic", "ar", "rtl", joined=True),
        Script("hebrew", "he", "rtl"),
        Script("syriac", "syr", "rtl", joined=True),
        Script("thaana", "dv", "rtl"),
        Script("nko", "nqo", "rtl", joined=True),
        Script("adlam", "ff-Adlm", "rtl", joined=True),
        Script("mongolian", "mn-Mong", joined=True),
        Script("devanagari", "und-Deva", joined=True),
        Script("bengali", "und-Beng", joined=True),
        Script("gurmukhi", "pa", joined=True),
        Script("greek", "el"),
        Script("cyrillic", "und-Cyrl"),
        Script("armenian", "hy"),
        Script("georgian", "ka"),
        Script("thai", "th"),
        Script("hangul", "ko"),
        Script("hiragana", "ja"),
        Script("katakana", "ja"),
        Script("cjk", "zh"),
    )
}


@lru_cache(maxsize=4096)
def script_of(character: str) -> Script | None:
    """The script a letter or a mark is written in; none for what all scripts share."""
    if unicodedata.category(character)[0] not in "LM":
        return None
    word = unicodedata.name(character, "").split(" ")[0].lower()
    return _SCRIPTS.get(word, LATIN)


def main_script(text: str) -> Script:
    """The script most letters of a text are written in; Latin when there are none.

    A text with kana in it is Japanese, however many Chinese characters stand beside them.
    """
    others = _BEYOND_ASCII.findall(text)
    if not others:
        return LATIN
    counts = _counted(others)
    counts["latin"] += _ascii_letters(text)
    if list(counts.values()).count(max(counts.values())) > 1:  # the first of them to appear
        counts = _counted(text)
    most = counts.most_common(1)[0][0] if counts else "latin"
    if most == "cjk":
        most = next((name for name in counts if name in {"hiragana", "katakana"}), most)
    return _SCRIPTS.get(most, LATIN)


def _counted(characters: Iterable[str]) -> Counter[str]:
    """Letters by script."""
    counts: Counter[str] = Counter()
    for character, count in Counter(characters).items():
        if script := script_of(character):
            counts[script.name] += count
    return counts


def _ascii_letters(text: str) -> int:
    plain = text.encode("ascii", "ignore")
    return len(plain) - len(plain.translate(None, _LETTERS))


@lru_cache(maxsize=_VOCABULARY)
def visible(text: str) -> str:
    """Text as it is drawn: a newline is ↵, a tab →, and nothing hides or turns its neighbours.

    Other control characters become their pictures (␀); marks that would change the direction of the
    text around them are named (‹U+202E›).
    """
    return text if text.isalnum() else _UNSEEN.sub(_picture, text)


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_LETTERS = string.ascii_letters.encode()
_UNSEEN = re.compile("[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PICTURES = {"\n": "↵", "\t": "→", "\x7f": "␡"}


def _picture(match: re.Match[str]) -> str:
    character = match.group()
    if character < " ":
        return _PICTURES.get(character, chr(0x2400 + ord(character)))
    return _PICTURES.get(character, f"‹U+{ord(character):04X}›")


@lru_cache(maxsize=_VOCABULARY)
def _alone(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


@lru_cache(maxsize=_VOCABULARY)
def _drawn_alone(piece: bytes) -> str | None:
    text = _alone(piece)
    return None if text is None else visible(text)


def _joined(pieces: Sequence[bytes], at: int) -> Glyph:
    joined = b""
    for count in range(1, min(_LONGEST, len(pieces) - at) + 1):
        joined += pieces[at + count - 1]
        try:
            return Glyph(joined.decode(), at, count)
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                break
    return Glyph(readable(pieces[at]), at, 1)


def _hex(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(f"‹{byte:02X}›" for byte in broken), error.end


codecs.register_error("featureviz-hex", _hex)
