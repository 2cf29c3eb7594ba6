"""The search page, and what its box is completed by."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from featureviz.browse.search.completion import complete
from featureviz.browse.search.finders import KINDS, Scope
from featureviz.browse.search.hits import LABELS, Hit, hits
from featureviz.browse.search.language import Problem, Query, Term, parse, written_numbers
from featureviz.browse.search.meaning import Meaning, closest
from featureviz.browse.search.results import SORTS, Asked, Change, Results
from featureviz.catalog.addresses import find_latent, readable_runs
from featureviz.catalog.models import Latent, Run

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

LONGEST = 500  # characters of a query
_SORT_LABELS = {
    "best": "Best match",
    "-density": "Density ↓",
    "density": "Density ↑",
    "-max": "Max ↓",
    "max": "Max ↑",
    "index": "Index",
}
_EXAMPLES = (
    ("because", "a word: of explanations, tokens and contexts; beca* finds all that begin so"),
    ('"in the"', "words in a row"),
    ("fires:self", "a token it fires on; also promotes: and suppresses:"),
    ("context:import", "a word of its stored contexts, best where it peaks in the word"),
    (
        'explanation:"quotation marks"',
        "words of an explanation; also comment:, tag:, has:tag",
    ),
    ("density:0.1%..1%", "a range; also density:<0.001, max:>3, mean:, min:, tokens:, index:"),
    ("is:ultralow", "how alive it is; also is:alive and is:dead"),
    ("-fires:self max:>1", "a minus turns a term round"),
)
_ADDRESS = re.compile(
    r"(?:https?://[^/\s]+)?/?(?:api/feature/)?(?P<model>[\w.-]+)/(?P<dictionary>[\w.-]+)/"
    r"(?P<index>[0-9]{1,9})(?:\.json)?/?(?P<query>\?[\w.,~%&=+-]*)?(?P<place>#[\w.-]*)?"
)


@dataclass(frozen=True, slots=True)
class Facet:
    """A way to narrow a search, and how many it leaves."""

    label: str
    count: int
    address: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ChipLink:
    """A term of the query, and the search without it."""

    text: str  # as it was written
    address: str


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of an empty page."""

    text: str
    n_found: int
    address: str


@dataclass(frozen=True)
class SearchPage:
    """A search and its answer."""

    typed: str
    asked: Asked
    results: Results
    user: Reader

    @classmethod
    def of(cls, query: QueryDict, user: Reader) -> SearchPage:
        """Read an address; what is not understood is the default."""
        typed = query.get("q", "").replace("\0", "")[:LONGEST].strip()
        kind, sort = query.get("kind", ""), query.get("sort", "best")
        page = query.get("page", "1")
        asked = Asked(
            parse(typed),
            kind=kind if kind in KINDS else "",
            where=query.get("where", ""),
            sort=sort if sort in SORTS else "best",
            page=int(page) if re.fullmatch("[0-9]{1,6}", page) else 1,
        )
        runs = readable_runs()
        if not any(asked.where in (str(r.dictionary), r.dictionary.model.name) for r in runs):
            asked = replace(asked, where="")
        return cls(typed, asked, Results.of(asked, runs), user)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked."""
        return not self.asked.query.terms

    @property
    def examples(self) -> list[tuple[tuple[str, str], str]]:
        """What can be asked: a query, its address, its meaning; then one that is here."""
        found = [*_EXAMPLES]
        if self.results.scopes:
            found.append((f"dict:{self.results.scopes[0].address}", "one dictionary, or one model"))
        return [((query, f"?{urlencode({'q': query})}"), meaning) for query, meaning in found]

    @cached_property
    def hits(self) -> list[Hit]:
        """The latents of this page."""
        return hits(self.results, self.user)

    @cached_property
    def meaning(self) -> Meaning | None:
        """What is close in meaning; below the first page of what the words found."""
        return closest(self.results, self.user) if self.results.page == 1 else None

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """What was not understood, with the characters it is about."""
        return [
            (self.typed[problem.start : problem.end], problem)
            for problem in self.asked.query.problems
        ]

    @property
    def out_of_range(self) -> Run | None:
        """The dictionary looked at, when the query is an index it does not have."""
        indices = list(written_numbers(self.asked.query))
        here = [each.scope.run for each in self.results.here]
        if not indices or len(here) != 1 or not self.asked.where:
            return None
        return here[0] if int(indices[0]) >= here[0].dictionary.d_sae else None

    @property
    def chips(self) -> list[ChipLink]:
        """The terms, where there are several or one is an operator."""
        terms = self.asked.query.terms
        if len(terms) == 1 and not terms[0].name:
            return []
        return [
            ChipLink(self._written(each), self.address(query=self.asked.query.without(each)))
            for each in terms
        ]

    @property
    def kinds(self) -> list[Facet]:
        """The ways words were met in."""
        found = self.results.kinds
        if not found:
            return []
        every = Facet(
            "Everything", self.results.n_of_any_kind, self.address(kind=""), not self.asked.kind
        )
        return [every] + [
            Facet(
                LABELS[kind].capitalize(), count, self.address(kind=kind), kind == self.asked.kind
            )
            for kind, count in found
        ]

    @property
    def places(self) -> list[Facet]:
        """The dictionaries; of many, those where something was found."""
        found = self.results.places
        if len(found) < 2:
            return []
        every = sum(count for _, count in found)
        if not every:
            return []
        everywhere = Facet("Everywhere", every, self.address(where=""), not self.asked.where)
        return [everywhere] + [
            Facet(place, count, self.address(where=place), place == self.asked.where)
            for place, count in found
            if count or place == self.asked.where
        ]

    @property
    def sorts(self) -> list[tuple[str, str, bool]]:
        """The orders: label, address, whether it is the one shown."""
        return [
            (label, self.address(sort=sort), sort == self.asked.sort)
            for sort, label in _SORT_LABELS.items()
        ]

    @property
    def ways(self) -> list[Way]:
        """What to change where nothing was found."""
        return [Way(self._in_words(each), each.n_found, self._address(each.asked))
                for each in self.results.changes]  # fmt: skip

    @property
    def by_text(self) -> str:
        """The end of the address that runs what was typed through a model; empty for operators."""
        if any(term.name for term in self.asked.query.terms):
            return ""
        given = {"text": self.typed, "where": self.asked.where}
        return f"?{urlencode({name: value for name, value in given.items() if value})}"

    @property
    def frequent(self) -> list[str]:
        """Texts that stand in so many contexts that only peaks were counted."""
        return sorted(self.results.finder.frequent)

    @property
    def earlier(self) -> str:
        """The address of the page before; empty on the first."""
        return self.address(page=self.results.page - 1) if self.results.page > 1 else ""

    @property
    def later(self) -> str:
        """The address of the next page; empty on the last."""
        results = self.results
        return self.address(page=results.page + 1) if results.page < results.n_pages else ""

    def address(self, **changes: object) -> str:
        """The end of the address of this search, changed; it begins again at page 1."""
        return self._address(replace(self.asked, **{"page": 1, **changes}))  # type: ignore[arg-type]

    def _address(self, asked: Asked) -> str:
        given = {"q": str(asked.query) if asked.query != self.asked.query else self.typed}
        given |= {"kind": asked.kind, "where": asked.where}
        given |= {"sort": asked.sort if asked.sort != "best" else ""}
        given |= {"page": str(asked.page) if asked.page > 1 else ""}
        return f"?{urlencode({name: value for name, value in given.items() if value})}"

    def _in_words(self, change: Change) -> str:
        if change.term is None:
            freed = [name for name in ("kind", "where") if getattr(change.asked, name) == ""
                     and getattr(self.asked, name)]  # fmt: skip
            told = {"kind": "in any way", "where": "in every dictionary"}
            return f"look {' and '.join(told[name] for name in freed)}"
        if change.term.is_beginning and change.term in change.asked.query.terms:
            return f"words that begin so: {change.term}"
        return f"without {self._written(change.term)}"

    def _written(self, term: Term) -> str:
        return self.typed[term.start : term.end]


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Find latents; an address, or the index of a dictionary's latent, leads straight there."""
    typed, where = request.GET.get("q", "").strip(), request.GET.get("where", "")
    if target := _target(typed, where):
        return HttpResponseRedirect(target)
    page = SearchPage.of(request.GET, request.user)
    return render(request, "browse/search.html", {"page": page})


@require_safe
def completions(request: HttpRequest) -> JsonResponse:
    """Ways to go on where somebody types, as JSON."""
    text = request.GET.get("q", "")[:LONGEST]
    at = request.GET.get("at", "")
    where = request.GET.get("where", "")
    scopes = [scope for run in readable_runs() if (scope := Scope.of(run))]
    here = [scope for scope in scopes if scope.is_in(where)] or scopes
    cursor = min(int(at), len(text)) if at.isdecimal() else len(text)
    found = complete(text, cursor, here, request.user)
    options = [
        {"text": each.text, "hint": each.hint, "whole": each.is_whole} for each in found.options
    ]
    return JsonResponse({"start": found.start, "end": found.end, "options": options})


def _target(typed: str, where: str) -> str:
    """The latent's page that was typed as an address or an index; empty: none was."""
    if match := _ADDRESS.fullmatch(typed):
        latent = find_latent(match["model"], match["dictionary"], int(match["index"]))
        return f"{_url(latent)}{match['query'] or ''}{match['place'] or ''}" if latent else ""
    model, _, dictionary = where.partition("/")
    for index in written_numbers(Query((Term("", typed),))):
        if latent := find_latent(model, dictionary, int(index)):
            return _url(latent)
    return ""


def _url(latent: Latent) -> str:
    dictionary = latent.run.dictionary
    return reverse("latent", args=[dictionary.model.name, dictionary.name, latent.index])
