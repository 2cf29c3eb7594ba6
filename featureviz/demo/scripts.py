"""Which script a character is written in, from its Unicode name."""

import re
import unicodedata
from collections import Counter
from functools import cache

_FIRST_WORD = re.compile(r"[A-Z]+")


@cache
def script_of(character: str) -> str:
    """The script of one character: 'latin', 'arabic', 'cjk' (Han)…; 'digit' for 0-9.

    Spaces, and punctuation and symbols that scripts share, are ''. A script's own punctuation and
    digits (the Arabic comma, Devanagari digits) belong to the script.
    """
    if character.isascii():
        return "digit" if character.isdigit() else "latin" if character.isalpha() else ""
    word = _FIRST_WORD.match(unicodedata.name(character, ""))
    name = word.group().lower() if word else ""
    return name if character.isalpha() or name in _own_scripts() else ""


@cache
def _own_scripts() -> frozenset[str]:
    """First words of the names of letters: tells ARABIC COMMA from EM DASH."""
    letters = filter(str.isalpha, map(chr, range(0x80, 0x3000)))
    words = (_FIRST_WORD.match(unicodedata.name(letter, "")) for letter in letters)
    return frozenset(word.group().lower() for word in words if word) - {"modifier", "superscript"}


def main_script(text: str) -> str:
    """The script most letters of a text are written in; 'latin' if it has none."""
    counts = Counter(map(script_of, filter(str.isalpha, text)))
    return counts.most_common(1)[0][0] if counts else "latin"
