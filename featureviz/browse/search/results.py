"""What a query finds, in order, with how many there are in each way and in each place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from featureviz.browse.search.finders import KINDS, Finder, Mask, Match, Scope, Strengths
from featureviz.browse.search.language import Query, Term
from featureviz.browse.search.written import Said
from featureviz.catalog.models import Run

PAGE_SIZE = 20
SORTS = ("best", "-density", "density", "-max", "max", "index")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search: a query, and where and how its answer is to be seen."""

    query: Query
    kind: str = ""  # words must be met in this way; empty: in any
    where: str = ""  # a dictionary's address or a model's name; empty: everywhere
    sort: str = "best"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """A search that finds more than one that found nothing."""

    asked: Asked
    term: Term | None  # that was dropped, or made a beginning; none: kind or place was
    n_found: int


@dataclass(frozen=True)
class Judged:
    """A run held against every term of a query."""

    scope: Scope
    terms: tuple[Term, ...]
    matches: tuple[Match, ...]

    def mask(self, kind: str = "", without: Term | None = None) -> Mask:
        """The latents that meet all terms but one, words in any or in one way."""
        mask = np.ones(len(self.scope), np.bool_)
        for term, match in zip(self.terms, self.matches, strict=True):
            if term is not without:
                by_kind = kind and not term.name and not term.negated
                mask &= match.within(kind) if by_kind else match.mask
        return mask

    def scores(self, kind: str) -> Strengths:
        """The sum of what every term and every way adds [n_latents]."""
        scores = np.zeros(len(self.scope))
        for term, match in zip(self.terms, self.matches, strict=True):
            scores += match.score("" if term.name else kind)
        return scores


@dataclass(frozen=True)
class Results:
    """The answer to a search. Ties are broken by address; the same everywhere, always."""

    asked: Asked
    scopes: tuple[Scope, ...]
    unindexed: tuple[Run, ...]  # dictionaries that cannot be searched yet
    finder: Finder

    @classmethod
    def of(cls, asked: Asked, runs: Sequence[Run]) -> Results:
        """Search the runs a reader may see."""
        scopes = {run: Scope.of(run) for run in runs}
        return cls(
            asked,
            tuple(scope for scope in scopes.values() if scope),
            tuple(run for run, scope in scopes.items() if scope is None),
            Finder(Said(tuple(run.dictionary_id for run in runs))),
        )

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Every run, wherever the reader looks."""
        terms = self.asked.query.terms
        return tuple(
            Judged(scope, terms, tuple(self.finder.match(term, scope) for term in terms))
            for scope in self.scopes
        )

    @cached_property
    def here(self) -> tuple[Judged, ...]:
        """The runs the reader looks at."""
        where = self.asked.where
        return tuple(each for each in self.judged if not where or each.scope.is_in(where))

    @cached_property
    def _masks(self) -> tuple[Mask, ...]:
        return tuple(each.mask(self.asked.kind) for each in self.here)

    @cached_property
    def n_found(self) -> int:
        """How many latents are found."""
        return sum(map(_count, self._masks))

    @property
    def n_pages(self) -> int:
        """Pages of the answer, at least one."""
        return max(1, -(-self.n_found // PAGE_SIZE))

    @property
    def page(self) -> int:
        """The page shown: the one asked for, or the nearest there is."""
        return min(max(1, self.asked.page), self.n_pages)

    @cached_property
    def hits(self) -> list[tuple[Scope, int]]:
        """The latents of the page, in order."""
        found = [np.flatnonzero(mask) for mask in self._masks]
        indices = np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64)
        scopes = np.repeat(np.arange(len(found)), [len(each) for each in found])
        order = self._order(found)
        first = (self.page - 1) * PAGE_SIZE
        shown = order[first : first + PAGE_SIZE]
        return [(self.here[scopes[at]].scope, int(indices[at])) for at in shown]

    def _order(self, found: list[np.ndarray]) -> np.ndarray:
        """Places in the order of addresses, sorted as asked; equal ones keep their order."""
        if self.asked.sort == "index":
            return np.argsort(np.concatenate([*found, np.empty(0, np.int64)]), kind="stable")
        name = self.asked.sort.removeprefix("-")
        columns = [
            (each.scores(self.asked.kind) if name == "best" else each.scope.index.fact(name))[at]
            for each, at in zip(self.here, found, strict=True)
        ]
        keys = np.concatenate([*columns, np.empty(0)])
        ascending = self.asked.sort == name != "best"
        return np.argsort(keys if ascending else -keys, kind="stable")

    @cached_property
    def kinds(self) -> list[tuple[str, int]]:
        """How many are found in each way, of those in which any is; none where no word is asked."""
        if not any(not term.name and not term.negated for term in self.asked.query.terms):
            return []
        counts = [(kind, sum(_count(each.mask(kind)) for each in self.here)) for kind in KINDS]
        return [(kind, count) for kind, count in counts if count or kind == self.asked.kind]

    @property
    def n_of_any_kind(self) -> int:
        """How many are found here in any way."""
        return sum(_count(each.mask()) for each in self.here)

    @cached_property
    def places(self) -> list[tuple[str, int]]:
        """How many are found in each dictionary."""
        counts = [(each.scope, _count(each.mask(self.asked.kind))) for each in self.judged]
        return [(scope.address, count) for scope, count in counts]

    @cached_property
    def changes(self) -> list[Change]:
        """What to change where nothing is found, the most fruitful first; each finds something."""
        if self.n_found:
            return []
        found = [change for change in self._changes() if change.n_found]
        return sorted(found, key=lambda change: -change.n_found)

    def _changes(self) -> Iterator[Change]:
        asked = replace(self.asked, page=1)
        for term in asked.query.terms:
            rest = asked.query.without(term)
            if rest.terms:
                count = sum(_count(each.mask(asked.kind, term)) for each in self.here)
                yield Change(replace(asked, query=rest), term, count)
        for term in asked.query.terms:
            if term.is_text and not term.is_beginning and not term.negated:
                beginning = replace(term, is_beginning=True)
                terms = tuple(beginning if each is term else each for each in asked.query.terms)
                yield self._changed(replace(asked, query=Query(terms)), beginning)
        if asked.kind:
            yield self._changed(replace(asked, kind=""), None)
        if asked.where:
            yield self._changed(replace(asked, where=""), None)
        if asked.kind and asked.where:
            yield self._changed(replace(asked, kind="", where=""), None)

    def _changed(self, asked: Asked, term: Term | None) -> Change:
        other = Results(asked, self.scopes, self.unindexed, self.finder)
        return Change(asked, term, other.n_found)


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))  # a tenth of the time of a sum
