"""The words of a corpus, and where each stands: words, phrases and beginnings are found by numpy.

A word is a run of letters, digits and their marks, folded (NFKC, casefold); an underscore or an
apostrophe ends it. In scripts written without blanks every character is a word, so that a
phrase finds any string of them. Padding and what stands in no statistic separates words.

Layout of `<corpus>/words/`: `flat.npy` [n] (the corpus as numbers of words, in order),
`contexts.npy` [n] (the context each stands in), `first.npy` and `last.npy` [n] (the positions its
characters begin and end in), `offsets.npy` [n_contexts + 1] (where each context begins in these),
`postings.npy` [n] (the places of each word, ascending) from `starts.npy` [n_words + 1], the words
themselves in `words.*`, the vocabulary by its folded texts in `tokens.*`, the ids of those in
`token_ids.npy`. Written under another name and renamed: a folder that exists is whole.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.text import readable

Ints = npt.NDArray[np.integer[Any]]
_FOLDER = "words"
_CONTEXTS_AT_ONCE = 512
_PLACES_AT_ONCE = 1 << 22
_BROKEN = 0xDC00  # a byte that decodes to nothing is this and its value (surrogateescape)


def _characters(first: int, last: int, categories: str) -> str:
    """A class of a regular expression: characters of a range, by the first letter of category."""
    found = [chr(at) for at in range(first, last) if unicodedata.category(chr(at))[0] in categories]
    return "".join(map(re.escape, found))


_MARK = _characters(0x300, 0x1E950, "M")
_UNSPACED = (
    "".join(
        _characters(first, last, "LN")
        for first, last in (
            (0x0E00, 0x0F00),  # Thai, Lao
            (0x1000, 0x10A0),  # Myanmar
            (0x1780, 0x1800),  # Khmer
            (0x3005, 0x3008),
            (0x3040, 0x3100),  # kana
            (0xFF66, 0xFFA0),
        )
    )
    + "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_WORD = re.compile(
    rf"[a-zA-Z0-9]++(?=[\x00-\x7f]|\Z)"  # most words of most texts, sooner
    rf"|[{_UNSPACED}][{_MARK}]*|(?:(?![{_UNSPACED}])[^\W_][{_MARK}]*)+"
)


class Span(NamedTuple):
    """A word in a text."""

    word: str  # folded
    start: int
    end: int


def fold(text: str) -> str:
    """Text as it is compared: compatible forms and cases are one."""
    if text.isascii():  # the same, sooner
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def spans(text: str) -> Iterator[Span]:
    """The words of a text, in order."""
    return (Span(fold(match.group()), *match.span()) for match in _WORD.finditer(text))


def places_of_words(text: str, most: int) -> list[tuple[int, int]]:
    """The characters of each of a text's first words."""
    return [match.span() for match in islice(_WORD.finditer(text), most)]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in a row; of the last perhaps only the beginning."""

    words: tuple[str, ...]
    is_beginning: bool = False

    @classmethod
    def of(cls, text: str, is_beginning: bool = False) -> Phrase:
        """The words of a text; none where it is all signs."""
        return cls(tuple(span.word for span in spans(text)), is_beginning)

    def __len__(self) -> int:
        return len(self.words)

    def within(self, text: str) -> list[tuple[int, int]]:
        """Where it stands in a text: the characters of each place."""
        if text.isascii() and self.words:  # the same, sooner
            folded = text.lower()
            if self.words[0] not in folded:
                return []
            return [match.span(1) for match in _in_ascii(self).finditer(folded)]
        found = list(_WORD.finditer(text))
        words = [fold(match.group()) for match in found]
        last = len(self.words) - 1
        return [
            (found[at].start(), found[at + last].end())
            for at in range(len(found) - last if self.words else 0)
            if self._fits(words, at)
        ]

    def _fits(self, words: list[str], at: int) -> bool:
        *before, last = self.words
        end = words[at + len(before)]
        fits = end.startswith(last) if self.is_beginning else end == last
        return fits and words[at : at + len(before)] == before


@lru_cache(maxsize=256)
def _in_ascii(phrase: Phrase) -> re.Pattern[str]:
    """Where a phrase stands in folded text of ASCII, whose words are letters and digits alone."""
    words = "[^a-z0-9]+".join(map(re.escape, phrase.words))
    end = "[a-z0-9]*" if phrase.is_beginning else ""
    return re.compile(rf"(?<![a-z0-9])(?=({words}{end})(?![a-z0-9]))")


@dataclass(frozen=True)
class ContextText:
    """Contexts as one text; a character that is several tokens is one character."""

    text: str  # what does not decode stands in it as surrogates (`shown` draws it)
    first: Ints  # [n characters] the token each character begins in, counted over the contexts
    last: Ints  # [n characters] and the one it ends in

    @classmethod
    def of(cls, corpus: StoredCorpus, contexts: range) -> ContextText:
        """Tokens that stand in no statistic, and padding, are newlines."""
        rows = slice(contexts.start, contexts.stop)
        tokens = np.where(corpus.counted[rows], corpus.tokens[rows], -1).reshape(-1).tolist()
        vocabulary = corpus.vocabulary
        pieces = [vocabulary[token] if token >= 0 else b"\n" for token in tokens]
        ends = np.cumsum([len(piece) for piece in pieces])
        text = b"".join(pieces).decode(errors="surrogateescape")
        if text.isascii():
            first = last = np.searchsorted(ends, np.arange(len(text)), side="right")
        else:
            after = np.cumsum(_utf8_sizes(text))
            first = np.searchsorted(ends, np.concatenate(([0], after[:-1])), side="right")
            last = np.searchsorted(ends, after - 1, side="right")
        return cls(text, first, last)

    @staticmethod
    def shown(text: str) -> str:
        """A piece of it for people: a byte that decodes to nothing is ‹E2›."""
        return re.sub(
            "[\udc80-\udcff]", lambda match: f"‹{ord(match.group()) - _BROKEN:02X}›", text
        )


def _utf8_sizes(text: str) -> Ints:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    sizes = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
    sizes[(points >= _BROKEN + 0x80) & (points <= _BROKEN + 0xFF)] = 1
    return sizes.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Texts in the order of their UTF-8 bytes, memory-mapped."""

    text: npt.NDArray[np.uint8]
    offsets: Ints  # [n + 1]

    @classmethod
    def read(cls, folder: Path, name: str) -> Lexicon:
        """The one written under this name."""
        return cls(read_array(folder, f"{name}.text"), read_array(folder, f"{name}.offsets"))

    @staticmethod
    def write(folder: Path, name: str, ordered: list[bytes]) -> None:
        """Keep texts that are in order already."""
        np.save(folder / f"{name}.text.npy", np.frombuffer(b"".join(ordered), np.uint8))
        np.save(folder / f"{name}.offsets.npy", np.cumsum([0, *map(len, ordered)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def encoded(self, number: int) -> bytes:
        """One text in UTF-8."""
        return self.text[self.offsets[number] : self.offsets[number + 1]].tobytes()

    def __getitem__(self, number: int) -> str:
        return self.encoded(number).decode()

    def range_of(self, text: str, is_beginning: bool = False) -> range:
        """The numbers of the texts that are this one, or begin with it."""
        return _range_of(self, text, is_beginning)


@lru_cache(maxsize=1024)
def _range_of(lexicon: Lexicon, text: str, is_beginning: bool) -> range:
    """The same text is looked up for every latent of a page."""
    wanted = text.encode()
    every = range(len(lexicon))

    def key(number: int) -> bytes:
        encoded = lexicon.encoded(number)
        return encoded[: len(wanted)] if is_beginning else encoded

    return range(bisect_left(every, wanted, key=key), bisect_right(every, wanted, key=key))


@dataclass(frozen=True)
class CorpusWords:
    """The words of a corpus and where they stand; a place is a number into the flat corpus."""

    folder: Path

    @classmethod
    def of(cls, corpus: StoredCorpus) -> CorpusWords:
        """The stored ones; gathered first where they are not there."""
        if not (corpus.folder / _FOLDER).exists():
            write_folder(corpus.folder / _FOLDER, lambda part: _write(part, corpus))
        return cls(corpus.folder / _FOLDER)

    @cached_property
    def words(self) -> Lexicon:
        """All words."""
        return Lexicon.read(self.folder, "words")

    @cached_property
    def tokens(self) -> Lexicon:
        """All folded texts of the vocabulary, each as often as it has tokens."""
        return Lexicon.read(self.folder, "tokens")

    @cached_property
    def token_ids(self) -> Ints:
        """The token each of those is the text of."""
        return read_array(self.folder, "token_ids")

    @cached_property
    def flat(self) -> Ints:
        """The number of the word at each place."""
        return read_array(self.folder, "flat")

    @cached_property
    def contexts(self) -> Ints:
        """The context of each place."""
        return read_array(self.folder, "contexts")

    @cached_property
    def first(self) -> Ints:
        """The position in its context where the word at each place begins."""
        return read_array(self.folder, "first")

    @cached_property
    def last(self) -> Ints:
        """The position where it ends."""
        return read_array(self.folder, "last")

    @cached_property
    def offsets(self) -> Ints:
        """The first place of each context, then their number."""
        return read_array(self.folder, "offsets")

    @cached_property
    def postings(self) -> Ints:
        """Places by word."""
        return read_array(self.folder, "postings")

    @cached_property
    def starts(self) -> Ints:
        """Where the places of each word begin among the postings."""
        return read_array(self.folder, "starts")

    def ranges(self, phrase: Phrase) -> list[range]:
        """The numbers each word of a phrase may have; all but the last at most one."""
        last = len(phrase) - 1
        return [
            self.words.range_of(word, phrase.is_beginning and at == last)
            for at, word in enumerate(phrase.words)
        ]

    def n_places(self, numbers: range) -> int:
        """How often words stand in the corpus."""
        return int(self.starts[numbers.stop] - self.starts[numbers.start])

    def matches(self, ranges: list[range]) -> Ints:
        """The places where a phrase begins, ascending."""
        if not ranges:
            return np.empty(0, np.int64)
        rarest = min(range(len(ranges)), key=lambda at: self.n_places(ranges[at]))
        numbers = ranges[rarest]
        found = self.postings[self.starts[numbers.start] : self.starts[numbers.stop]]
        places = found.astype(np.int64) - rarest
        if len(numbers) > 1:
            places.sort()
        return places[self.stands_at(places, ranges)]

    def stands_at(self, places: Ints, ranges: list[range]) -> npt.NDArray[np.bool_]:
        """Whether a phrase begins at each of some places; a place may be outside."""
        end = places + len(ranges) - 1
        fits = (places >= 0) & (end < len(self.flat))
        inside = np.where(fits, places, 0)
        for at, numbers in enumerate(ranges):
            word = self.flat[np.where(fits, inside + at, 0)]
            fits &= (word >= numbers.start) & (word < numbers.stop)
        if len(ranges) > 1:
            ends = np.where(fits, end, inside)
            fits &= self.contexts[inside] == self.contexts[ends]
        return fits

    def places_of(self, contexts: Ints, positions: Ints) -> tuple[Ints, Ints]:
        """The words that a token at each of some positions is part of: from a place up to another.

        A token may hold no word, a piece of one, or several.
        """
        wide = int(max(self.last.max(initial=0), positions.max(initial=0))) + 1
        base = self.contexts.astype(np.int64) * wide
        wanted = contexts.astype(np.int64) * wide + positions
        start = np.searchsorted(base + self.last, wanted, side="left")
        return start, np.maximum(start, np.searchsorted(base + self.first, wanted, side="right"))


def read_array(folder: Path, name: str) -> Any:
    """An array of an index, memory-mapped."""
    return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))


def write_folder(folder: Path, write: Any, replace: bool = False) -> None:
    """Have a folder written under another name and renamed: one that exists is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(part)
        os.chmod(part, 0o755)  # noqa: S103 - as any folder of the store
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            part.rename(folder)
        except OSError:  # another worker was first, with the same bytes
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def token_text(piece: bytes) -> str:
    """The text a token is looked up by: folded, without the blanks around it unless it is all."""
    text = fold(readable(piece))
    return text.strip(" ") or text


def inverted(numbers: Ints, n_numbers: int, into: Ints) -> Ints:
    """Write the places of each number, ascending, one number after another.

    Returns where each begins [n_numbers + 1]. Memory does not grow with the numbers.
    """
    counts = np.bincount(numbers, minlength=n_numbers) if len(numbers) else np.zeros(n_numbers)
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    cursor = starts[:-1].copy()
    for base in range(0, len(numbers), _PLACES_AT_ONCE):
        part = np.asarray(numbers[base : base + _PLACES_AT_ONCE])
        order = np.argsort(part, kind="stable")
        ordered = part[order]
        begins = np.flatnonzero(np.diff(ordered, prepend=-1))
        sizes = np.diff(begins, append=len(ordered))
        rank = np.arange(len(ordered)) - np.repeat(begins, sizes)
        into[cursor[ordered] + rank] = base + order
        cursor[ordered[begins]] += sizes
    return starts


def _write(folder: Path, corpus: StoredCorpus) -> None:
    numbers = _spool(folder, corpus)
    encoded = [word.encode() for word in numbers]
    order = sorted(range(len(encoded)), key=encoded.__getitem__)
    Lexicon.write(folder, "words", [encoded[number] for number in order])
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    flat = _keep(folder, "flat", np.int32, lambda spooled: place[spooled])
    n_contexts = len(corpus.lengths)
    contexts = _keep(folder, "contexts", np.int32)
    for name in ("first", "last"):
        _keep(folder, name, _position_type(corpus))
    np.save(folder / "offsets.npy", np.searchsorted(contexts, np.arange(n_contexts + 1)))
    wide = np.int32 if len(flat) < 2**31 else np.int64
    postings = np.lib.format.open_memmap(folder / "postings.npy", "w+", wide, (len(flat),))
    np.save(folder / "starts.npy", inverted(flat, len(order), postings))
    _write_tokens(folder, corpus.vocabulary)


def _write_tokens(folder: Path, vocabulary: list[bytes]) -> None:
    texts = [token_text(piece).encode() for piece in vocabulary]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    Lexicon.write(folder, "tokens", [texts[token] for token in order])
    np.save(folder / "token_ids.npy", np.array(order, np.int32))


def _position_type(corpus: StoredCorpus) -> Any:
    return np.uint16 if corpus.tokens.shape[1] <= 1 << 16 else np.int32


def _spool(folder: Path, corpus: StoredCorpus) -> dict[str, int]:
    """Write every word's number, context and positions to files; returns the words' numbers."""
    numbers: dict[str, int] = {}
    known: dict[str, int] = {}  # the same by the words as they are written
    n_contexts, width = corpus.tokens.shape
    types = {"flat": np.int32, "contexts": np.int32}
    types |= dict.fromkeys(("first", "last"), _position_type(corpus))
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {
            name: stack.enter_context((folder / f"{name}.spool").open("wb")) for name in types
        }
        for start in range(0, n_contexts, _CONTEXTS_AT_ONCE):
            text = ContextText.of(corpus, range(start, min(start + _CONTEXTS_AT_ONCE, n_contexts)))
            found = list(_numbered(text.text, numbers, known))
            flat, begins, ends = np.array(found, np.int64).reshape(-1, 3).T
            first, last = text.first[begins], text.last[ends - 1]
            columns: dict[str, Ints] = {
                "flat": flat,
                "contexts": start + first // width,
                "first": first % width,
                "last": last % width,
            }
            for name, column in columns.items():
                files[name].write(column.astype(types[name]).tobytes())
    return numbers


def _numbered(
    text: str, numbers: dict[str, int], known: dict[str, int]
) -> Iterable[tuple[int, int, int]]:
    for match in _WORD.finditer(text):
        raw = match.group()
        number = known.get(raw)
        if number is None:
            number = known[raw] = numbers.setdefault(fold(raw), len(numbers))
        yield number, match.start(), match.end()


def _keep(folder: Path, name: str, dtype: Any, change: Any = None) -> Ints:
    """Make an array of a spooled file, in pieces."""
    spool = folder / f"{name}.spool"
    size = spool.stat().st_size // np.dtype(dtype).itemsize
    array = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (size,))
    if size:
        spooled = np.memmap(spool, dtype, "r")
        for base in range(0, size, _PLACES_AT_ONCE):
            piece = spooled[base : base + _PLACES_AT_ONCE]
            array[base : base + _PLACES_AT_ONCE] = change(piece) if change else piece
    spool.unlink()
    return array
