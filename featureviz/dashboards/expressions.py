"""Where a regular expression of a reader's own matches in a corpus; no pattern can hurt the server.

Matching is done in a process of its own with little time and memory: a pattern may backtrack for
ever or fill the memory even before it is matched, and no check inside the same process stops that.
Patterns are those of the `regex` package, so a Unicode property is one.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.text import glyphs

LONGEST = 200  # characters of a pattern
MOST_POSITIONS = 1 << 20  # of a corpus that are looked at
_CPU_SECONDS = 5
_WALL_SECONDS = 15
_MEMORY = 1 << 30  # bytes a pattern may use
_one_at_a_time = threading.Lock()


class ExpressionError(ValueError):
    """A pattern that cannot be used; its message is for people."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at  # the character the trouble begins at, where it is known


@dataclass(frozen=True, slots=True)
class Matched:
    """The tokens of a corpus that lie within matches."""

    step: int  # every so manieth context was looked at, from the first on; 1: all
    inside: npt.NDArray[np.bool_]  # [looked at, n_ctx]; False where not counted


def matched(corpus: StoredCorpus, pattern: str) -> Matched:
    """Match a pattern in the text of every context, or of evenly spaced ones of a large corpus.

    A token lies within matches when every one of its characters does, but for blanks at its start.
    A split character's tokens are all of it. Raises: ExpressionError.
    """
    if not pattern:
        raise ExpressionError("The pattern is empty.")
    if len(pattern) > LONGEST:
        raise ExpressionError(f"The pattern is longer than {LONGEST} characters.", LONGEST)
    facts = corpus.facts
    step = -(-facts.n_contexts * facts.context_size // MOST_POSITIONS)
    bits = _matched(str(corpus.folder), pattern, step)
    shape = len(range(0, facts.n_contexts, step)), facts.context_size
    flat = np.unpackbits(np.frombuffer(bits, np.uint8), count=shape[0] * shape[1])
    return Matched(step, flat.reshape(shape).astype(np.bool_))


@lru_cache(maxsize=16)
def _matched(folder: str, pattern: str, step: int) -> bytes:
    if not _one_at_a_time.acquire(timeout=_WALL_SECONDS):
        raise ExpressionError("Other patterns are being matched. Try again in a moment.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps([folder, pattern, step]).encode(),
            capture_output=True,
            timeout=_WALL_SECONDS,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExpressionError(_TOO_MUCH) from None
    finally:
        _one_at_a_time.release()
    head, _, bits = done.stdout.partition(b"\n")
    if done.returncode != 0 or not head:
        raise ExpressionError(_TOO_MUCH)
    trouble = json.loads(head)
    if trouble:
        raise ExpressionError(trouble["says"], trouble["at"])
    return bits


_TOO_MUCH = (
    f"Matching took more than {_CPU_SECONDS} seconds or too much memory and was stopped. "
    "Try a pattern with fewer nested repeats."
)


def main() -> None:
    """Read folder, pattern and step from standard input; write the bits, or what is wrong."""
    folder, pattern, step = json.load(sys.stdin)
    _limit()
    out = sys.stdout.buffer
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        says = f"{error.msg[:1].upper()}{error.msg[1:]}"
        out.write(json.dumps({"says": says, "at": error.pos}).encode() + b"\n")
        return
    inside = _inside(StoredCorpus(Path(folder)), compiled, step)
    out.write(b"{}\n" + np.packbits(inside).tobytes())


def _limit() -> None:
    """From here on a pattern may cost so much and no more."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _inside(corpus: StoredCorpus, pattern: regex.Pattern[str], step: int) -> npt.NDArray[np.bool_]:
    tokens, counted = corpus.tokens[::step], corpus.counted[::step]
    pieces = _Pieces(corpus.vocabulary)
    inside = np.zeros(tokens.shape, np.bool_)
    for row in range(len(tokens)):
        for first, end in _runs(counted[row]):
            text, spans = pieces.text(tokens[row, first:end].tolist())
            inside[row, first:end] = _covered(pattern, text, spans)
    return inside


class Span(NamedTuple):
    """Where a token stands in a text, blanks at its start left out."""

    start: int
    end: int


class _Pieces:
    """Tokens as text; the vocabulary is decoded once."""

    def __init__(self, vocabulary: list[bytes]) -> None:
        self.vocabulary = vocabulary
        self.alone = [_decoded(piece) for piece in vocabulary]

    def text(self, tokens: list[int]) -> tuple[str, list[Span]]:
        """The text of some tokens, and where each stands in it."""
        texts = [self.alone[token] for token in tokens]
        parts = [(text, 1) for text in texts if text is not None]
        if len(parts) < len(texts):
            found = glyphs([self.vocabulary[token] for token in tokens])
            parts = [(glyph.text, glyph.size) for glyph in found]
        spans, at = [], 0
        for text, size in parts:
            blanks = len(text) - len(text.lstrip(" ")) if text.strip(" ") else 0
            spans += [Span(at + blanks, at + len(text))] * size
            at += len(text)
        return "".join(text for text, _ in parts), spans


def _covered(pattern: regex.Pattern[str], text: str, spans: list[Span]) -> npt.NDArray[np.bool_]:
    """Which spans lie within matches."""
    before = np.zeros(len(text) + 1, np.int64)  # characters within matches up to each
    for match in pattern.finditer(text):
        before[match.start() + 1 : match.end() + 1] = 1
    np.cumsum(before, out=before)
    starts, ends = np.array(spans).T
    return (before[ends] - before[starts] == ends - starts) & (ends > starts)


def _runs(counted: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of counted positions, as [first, end)."""
    steps = np.diff(counted.astype(np.int8), prepend=0, append=0)
    pairs = zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True)
    return [(int(first), int(end)) for first, end in pairs]


def _decoded(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


if __name__ == "__main__":
    main()
