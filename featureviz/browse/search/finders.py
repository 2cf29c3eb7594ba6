"""How a term is held against the latents of a run: which match, how well, and in which ways.

All is arrays over a run's latents. A strength lies in (0, 1]; docs/search.md says what each is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from featureviz.browse.ranges import holds
from featureviz.browse.search.language import Term
from featureviz.browse.search.written import WRITTEN, Said
from featureviz.catalog.finding import opened
from featureviz.catalog.models import Run
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.density import FEW, ULTRALOW
from featureviz.dashboards.finding import Held, Place, RunIndex
from featureviz.dashboards.text import readable
from featureviz.dashboards.words import Ints, Phrase, fold

KINDS = ("index", "explanation", "tag", "fires", "comment", "promotes", "context", "suppresses")
WEIGHTS = {
    "index": 16.0,
    "explanation": 8.0,
    "tag": 6.0,
    "fires": 4.0,
    "comment": 3.0,
    "promotes": 2.0,
    "context": 1.0,
    "suppresses": 0.5,
}
_FIRST, _OTHER = 1.0, 0.75  # strength of an explanation that heads the page, and of others

Mask = npt.NDArray[np.bool_]
Strengths = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scope:
    """A dictionary that can be searched: the run it shows, and its index."""

    run: Run
    index: RunIndex

    @classmethod
    def of(cls, run: Run) -> Scope | None:
        """None where the run was published before there was an index."""
        index = opened(run)
        return cls(run, index) if index else None

    @cached_property
    def corpus(self) -> StoredCorpus:
        """Where the text comes from."""
        return self.run.corpus.stored

    @cached_property
    def address(self) -> str:
        """<model>/<dictionary>."""
        return str(self.run.dictionary)

    def __len__(self) -> int:
        return len(self.index)

    def is_in(self, place: str) -> bool:
        """Whether it is the dictionary of this address, or one of this model."""
        return place in (self.address, self.run.dictionary.model.name)

    def tokens(self, term: Term) -> Ints:
        """The tokens a term's text is; with a blank at its start, only those with one."""
        wanted = fold(term.text.replace("␣", " ").replace("↵", "\n"))
        bare = wanted.strip(" ") or wanted
        words = self.index.words
        numbers = words.tokens.range_of(bare, term.is_beginning)
        found = words.token_ids[numbers.start : numbers.stop]
        if bare == wanted:
            return found
        vocabulary = self.corpus.vocabulary
        fits = [_reads_as(vocabulary[token], wanted, term.is_beginning) for token in found.tolist()]
        return found[np.array(fits, np.bool_)]


def _reads_as(piece: bytes, wanted: str, is_beginning: bool) -> bool:
    text = fold(readable(piece))
    return text.startswith(wanted) if is_beginning else text == wanted


@dataclass(frozen=True)
class Match:
    """The latents of a run that meet a term [n_latents]."""

    mask: Mask
    strengths: Mapping[str, Strengths] = field(default_factory=dict)  # by kind, > 0: in this way

    def within(self, kind: str) -> Mask:
        """Those that meet it in one way."""
        found = self.strengths.get(kind)
        return np.zeros_like(self.mask) if found is None else found > 0

    def score(self, kind: str = "") -> Strengths | float:
        """Strengths by their weights, over the ways or of one [n_latents]."""
        kinds = [kind] if kind else list(self.strengths)
        return sum(
            (WEIGHTS[each] * self.strengths[each] for each in kinds if each in self.strengths), 0.0
        )


@dataclass(frozen=True)
class Finder:
    """Holds terms against runs; the database is asked once, of all dictionaries."""

    said: Said
    _written: dict[tuple[str, Phrase | None], Ints] = field(default_factory=dict)
    frequent: set[str] = field(default_factory=set)  # texts so frequent that only peaks counted

    def found_any(self, kind: str) -> bool:
        """Whether some latent met a term by a text of this kind."""
        return any(len(rows) for (each, _), rows in self._written.items() if each == kind)

    def match(self, term: Term, scope: Scope) -> Match:
        """The latents of one run that meet a term."""
        found = self._match(term, scope)
        return Match(~found.mask) if term.negated else found

    def _match(self, term: Term, scope: Scope) -> Match:
        if term.range:
            return Match(holds(term.range, _numbers(term.name, scope)))
        match term.name:
            case "dict":
                return Match(np.full(len(scope), scope.is_in(term.text)))
            case "is":
                return Match(_is(term.text, scope.index))
            case "has":
                written = self._by_written(term.text, None, scope)
                return Match(np.zeros(len(scope), np.bool_) if written is None else written > 0)
        kinds = (term.name,) if term.name else KINDS
        every = {kind: self._strengths(kind, term, scope) for kind in kinds}
        strengths = {kind: each for kind, each in every.items() if each is not None}
        mask = np.zeros(len(scope), np.bool_)
        for each in strengths.values():
            mask |= each > 0
        return Match(mask, strengths)

    def _strengths(self, kind: str, term: Term, scope: Scope) -> Strengths | None:
        """None where no latent meets it so, as most words are met in one way or two."""
        phrase = Phrase.of(term.text, term.is_beginning)
        if kind in WRITTEN:
            return self._by_written(kind, phrase, scope)
        if kind == "context" and phrase.words and held_by(scope.index, phrase).only_peaks:
            self.frequent.add(term.text)
        at, values = _by_index(kind, term, scope)
        return _spread(at, values, scope) if len(at) else None

    def _by_written(self, kind: str, phrase: Phrase | None, scope: Scope) -> Strengths | None:
        if (kind, phrase) not in self._written:
            self._written[kind, phrase] = self.said.holding(kind, phrase)
        dictionary, index, is_first = self._written[kind, phrase].T
        here = (dictionary == scope.run.dictionary_id) & (index < len(scope))
        if not here.any():
            return None
        strengths = _spread(index[here], _OTHER, scope)
        strengths[index[here & (is_first > 0)]] = _FIRST
        return strengths


def _spread(at: Ints, values: Strengths | float, scope: Scope) -> Strengths:
    strengths = np.zeros(len(scope))
    strengths[at] = values
    return strengths


@lru_cache(maxsize=64)
def _by_index(kind: str, term: Term, scope: Scope) -> tuple[Ints, Strengths]:
    """The latents that meet a term by what a run computed, and how well each does.

    Kept: an index never changes, and people turn pages and narrow what they asked.
    """
    match kind:
        case "index":
            found = _by_number(term, scope)
        case "context":
            found = _by_context(term, scope)
        case _:
            found = scope.index.by_tokens(kind, scope.tokens(term))
    at = np.flatnonzero(found)
    return at, found[at]


def _by_context(term: Term, scope: Scope) -> Strengths:
    phrase = Phrase.of(term.text, term.is_beginning)
    if not phrase.words:
        return np.zeros(len(scope))
    return scope.index.by_phrase(held_by(scope.index, phrase))


@lru_cache(maxsize=32)
def held_by(index: RunIndex, phrase: Phrase) -> Held:
    """The examples of each latent that hold a phrase.

    Kept: an index never changes, and people turn pages; some megabytes are well spent.
    """
    return index.held(phrase)


@lru_cache(maxsize=4096)
def best_place(index: RunIndex, latent: int, phrase: Phrase) -> Place | None:
    """Where a latent is strongest in a phrase; kept likewise."""
    return index.best_place(latent, phrase)


def _by_number(term: Term, scope: Scope) -> Strengths:
    strengths = np.zeros(len(scope))
    text = term.text.replace("\u202f", "")
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(scope):
        strengths[int(text)] = 1.0
    return strengths


def _numbers(name: str, scope: Scope) -> npt.NDArray[Any]:
    if name == "index":
        return np.arange(len(scope))
    return scope.index.fact("n_active" if name == "tokens" else name)


def _is(text: str, index: RunIndex) -> Mask:
    """As dashboards/density.py has it."""
    n_active = index.fact("n_active")
    match text:
        case "alive":
            return n_active > 0
        case "dead":
            return n_active == 0
    rare = (n_active <= FEW) | (n_active < ULTRALOW * index.fact("n_tokens"))
    return np.asarray(rare & (n_active > 0))
