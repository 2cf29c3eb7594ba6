"""The classes of a corpus's tokens: worked out once, kept beside its arrays, read shard by shard.

Layout of `<corpus>/classes/`: `writing.npy` int8 [n_contexts, n_ctx] (a number of classes.WRITING,
or NONE), `unfinished.npy` bool (the token ends within a character), `partial.npy` int32 [n] (tokens
that can end so), `shares.npy` float64 [n, len(WRITING)] (the share of such a token's occurrences in
each writing class), `counts.npy` int64 [d_vocab], `classes.json` (the classes with enough tokens).
A position is in one writing class at most, so one byte a token serves them all, whatever their
number; the proxy follows from these arrays and a few tables, and takes no room of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from featureviz.dashboards import classes
from featureviz.dashboards.classes import ALPHABETS, CERTAIN, NONE, WRITING, writing_score
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Record

LEAST_TOKENS = 100  # counted positions a class must have to stand in the menu
_AT_ONCE = 1 << 16  # positions worked through together
_FOLDER = "classes"


class ClassFacts(Record, frozen=True):
    """A class with enough tokens in a corpus."""

    name: str
    n_tokens: int  # counted positions in the class
    total: float  # of max(proxy, 0) over the counted positions
    squares: float


@dataclass(frozen=True, slots=True)
class Marks:
    """Some contexts, seen by class."""

    members: npt.NDArray[np.bool_]  # [n_positions, n_classes]
    scores: npt.NDArray[np.float32]  # [n_positions, n_classes]; max(proxy, 0), 0 where not counted


@dataclass(frozen=True)
class CorpusClasses:
    """The classes of a corpus."""

    corpus: StoredCorpus

    @classmethod
    def of(cls, corpus: StoredCorpus, least_tokens: int = LEAST_TOKENS) -> CorpusClasses:
        """The stored ones; worked out first where they are not there."""
        if not (corpus.folder / _FOLDER).exists():
            _build(corpus, least_tokens)
        return cls(corpus)

    @cached_property
    def facts(self) -> tuple[ClassFacts, ...]:
        """The classes with enough tokens, in the order of the marks."""
        content = (self.corpus.folder / _FOLDER / "classes.json").read_bytes()
        return msgspec.json.decode(content, type=tuple[ClassFacts, ...])

    def marks(self, contexts: range) -> Marks:
        """Membership and proxy of every position of some contexts."""
        rows = slice(contexts.start, contexts.stop)
        found = _Found(
            self.corpus.tokens[rows],
            self.corpus.counted[rows],
            np.asarray(self._array("writing")[rows]),
            np.asarray(self._array("unfinished")[rows]),
        )
        return self._tables.marks(found, [one.name for one in self.facts])

    @cached_property
    def _tables(self) -> _Tables:
        n_tokens = {one.name: one.n_tokens for one in self.facts}
        return _Tables(
            self.corpus.vocabulary,
            self._array("counts"),
            self._array("partial"),
            self._array("shares"),
            np.array([n_tokens.get(name, 0) for name in WRITING], np.int64),
        )

    def _array(self, name: str) -> Any:
        return np.load(self.corpus.folder / _FOLDER / f"{name}.npy", mmap_mode="r")


@dataclass(frozen=True, slots=True)
class _Found:
    """Some contexts with the writing class of every position; all [n_contexts, n_ctx]."""

    tokens: npt.NDArray[np.int32]
    counted: npt.NDArray[np.bool_]
    writing: npt.NDArray[np.int8]
    unfinished: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Tables:
    """What the proxy needs to know of the whole corpus."""

    vocabulary: list[bytes]
    counts: npt.NDArray[np.int64]  # [d_vocab]
    partial: npt.NDArray[np.int32]  # [n], ascending
    shares: npt.NDArray[np.float64]  # [n, len(WRITING)]
    sizes: npt.NDArray[np.int64]  # [len(WRITING)]; counted positions in the class

    def marks(self, found: _Found, names: list[str]) -> Marks:
        members = np.zeros((found.tokens.size, len(names)), np.bool_)
        scores = np.zeros((found.tokens.size, len(names)), np.float32)
        for column, name in enumerate(names):
            member, score = (
                self._alphabet(found, name) if name in ALPHABETS else self._writing(found, name)
            )
            members[:, column] = member.reshape(-1)
            scores[:, column] = score.reshape(-1)
        return Marks(members, scores)

    def _writing(self, found: _Found, name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        number = WRITING.index(name)
        member = found.writing == number
        score = np.where(member & ~found.unfinished, self._sure[number], 0.0)
        lone = found.unfinished & found.counted
        score[lone] = self._lone[np.searchsorted(self.partial, found.tokens[lone]), number]
        return member, score

    @cached_property
    def _sure(self) -> npt.NDArray[np.float64]:
        """The proxy of a token whose characters are all in the class [len(WRITING)]."""
        return np.array([writing_score(1.0, base) if base else 0.0 for base in self._bases])

    @cached_property
    def _lone(self) -> npt.NDArray[np.float64]:
        """The proxy, or 0, of a token that ends within a character [n, len(WRITING)]."""
        scores = np.zeros_like(self.shares)
        for row, number in zip(*np.nonzero(self.shares * self._bases), strict=True):
            scores[row, number] = writing_score(self.shares[row, number], self._bases[number])
        return np.maximum(scores, 0)

    @property
    def _bases(self) -> npt.NDArray[np.float64]:
        return self.sizes / max(1, int(self.counts.sum()))

    def _alphabet(self, found: _Found, name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        weights = np.where(found.counted, self._weights[name][found.tokens], -np.inf)
        best = classes.best_suffix(weights)
        return best >= CERTAIN, np.maximum(best, 0)

    @cached_property
    def _weights(self) -> dict[str, npt.NDArray[np.float64]]:
        probabilities = classes.unigrams(self.counts)
        return {
            name: classes.alphabet_weights(self.vocabulary, probabilities, characters)
            for name, characters in ALPHABETS.items()
        }


def _build(corpus: StoredCorpus, least_tokens: int) -> None:
    """Write the folder under another name and rename it: one that exists is whole."""
    part = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}-", dir=corpus.folder))
    try:
        _write(part, corpus, least_tokens)
        os.chmod(part, 0o755)  # noqa: S103 - as any folder of the store
        try:
            part.rename(corpus.folder / _FOLDER)
        except OSError:  # another worker was first, with the same bytes
            if not (corpus.folder / _FOLDER).exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(folder: Path, corpus: StoredCorpus, least_tokens: int) -> None:
    shape = corpus.tokens.shape
    writing, unfinished = (
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
        for name, dtype in (("writing", np.int8), ("unfinished", np.bool_))
    )
    by_token = classes.writing_of_tokens(corpus.vocabulary)
    partial = np.flatnonzero(by_token == classes.PARTIAL).astype(np.int32)
    counts, sizes = np.zeros(len(by_token), np.int64), np.zeros(len(WRITING), np.int64)
    inside = np.zeros((len(partial), len(WRITING)), np.int64)
    for rows in _stretches(shape):
        tokens, counted = corpus.tokens[rows], corpus.counted[rows]
        found, ends_within = classes.writing_of_rows(tokens, counted, corpus.vocabulary, by_token)
        writing[rows], unfinished[rows] = found, ends_within
        counts += np.bincount(tokens[counted], minlength=len(counts))
        sizes += np.bincount(found[found != NONE], minlength=len(sizes))
        split = (by_token[tokens] == classes.PARTIAL) & (found != NONE)
        np.add.at(inside, (np.searchsorted(partial, tokens[split]), found[split]), 1)
    shares = inside / np.maximum(counts[partial], 1)[:, None]
    for name, array in (("counts", counts), ("partial", partial), ("shares", shares)):
        np.save(folder / f"{name}.npy", array)
    tables = _Tables(corpus.vocabulary, counts, partial, shares, sizes)
    facts = _facts(corpus, tables, writing, unfinished, least_tokens)
    (folder / "classes.json").write_bytes(msgspec.json.encode(facts))


def _facts(
    corpus: StoredCorpus,
    tables: _Tables,
    writing: npt.NDArray[np.int8],
    unfinished: npt.NDArray[np.bool_],
    least_tokens: int,
) -> list[ClassFacts]:
    written = [WRITING[number] for number in np.flatnonzero(tables.sizes >= least_tokens)]
    names = [*written, *ALPHABETS]
    n_tokens = np.zeros(len(names), np.int64)
    sums = np.zeros((2, len(names)))
    for rows in _stretches(corpus.tokens.shape):
        found = _Found(corpus.tokens[rows], corpus.counted[rows], writing[rows], unfinished[rows])
        marks = tables.marks(found, names)
        scores = marks.scores.astype(np.float64)
        n_tokens += marks.members.sum(axis=0)
        sums += scores.sum(axis=0), (scores**2).sum(axis=0)
    return [
        ClassFacts(name, int(n), float(pair[0]), float(pair[1]))
        for name, n, pair in zip(names, n_tokens, sums.T, strict=True)
        if n >= least_tokens
    ]


def _stretches(shape: tuple[int, ...]) -> Iterator[slice]:
    size = max(1, _AT_ONCE // shape[1])
    return (slice(start, min(start + size, shape[0])) for start in range(0, shape[0], size))
