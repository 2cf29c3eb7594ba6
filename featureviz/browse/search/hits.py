"""The latents of a page of results: what each is, and why it was found."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from featureviz.annotate.models import Comment, Explanation, Tag
from featureviz.browse.formats import fixed, percent, signed, whole
from featureviz.browse.search import excerpts
from featureviz.browse.search.excerpts import Excerpt
from featureviz.browse.search.finders import KINDS, Scope, best_place, held_by
from featureviz.browse.search.language import Term
from featureviz.browse.search.results import Results
from featureviz.browse.search.written import WRITTEN, of_latents
from featureviz.dashboards.density import rarity
from featureviz.dashboards.text import readable
from featureviz.dashboards.words import Phrase

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

LABELS = {
    "index": "index",
    "explanation": "explanation",
    "tag": "tag",
    "fires": "fires on",
    "comment": "comment",
    "promotes": "promotes",
    "context": "context",
    "suppresses": "suppresses",
    "meaning": "meaning",
}
_EMPHASIS = re.compile(r"^#+ |\*\*|`")  # of Markdown, of which a title needs none
_FEW = 3  # tokens shown where a latent has many


@dataclass(frozen=True, slots=True)
class Chip:
    """A token, and a figure about it."""

    text: str
    figure: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a latent was found."""

    kind: str
    chips: tuple[Chip, ...] = ()
    excerpt: Excerpt | None = None
    note: str = ""
    more: int = 0  # tokens that match and are not shown
    url: str = ""  # where it is read, unless that is the example's place

    @property
    def label(self) -> str:
        """The way, in words."""
        return LABELS[self.kind]


@dataclass(frozen=True, slots=True)
class Close:
    """An explanation that is close to the query in meaning."""

    explanation: Explanation
    cosine: float


@dataclass(frozen=True)
class Hit:
    """A latent that was found."""

    scope: Scope
    index: int
    terms: tuple[Term, ...]  # about words, not turned round
    kind: str  # words are looked for in this way only; empty: in any
    explanations: tuple[Explanation, ...]  # the pinned first
    tags: tuple[Tag, ...] = ()
    comments: tuple[Comment, ...] = ()
    close: Close | None = None  # found by meaning, not by words

    @property
    def decided_by(self) -> Hashable | None:
        """What decides how it is drawn; none where a cosine does."""
        if self.close:
            return None
        said = tuple((each.text, each.signature) for each in self.explanations)
        tagged = tuple((each.name, each.author.get_username()) for each in self.tags)
        remarks = tuple((each.pk, each.text, each.signature) for each in self.comments)
        return self.scope.index, self.index, self.terms, self.kind, said, tagged, remarks

    @property
    def address(self) -> str:
        """<model>/<dictionary>/<index>."""
        return f"{self.scope.address}/{self.index}"

    @cached_property
    def url(self) -> str:
        """Its page."""
        dictionary = self.scope.run.dictionary
        return reverse("latent", args=[dictionary.model.name, dictionary.name, self.index])

    @property
    def title(self) -> str:
        """What it is said to stand for, in a line; empty where nobody said."""
        lines = (each.text.strip().split("\n")[0] for each in self.explanations)
        return _EMPHASIS.sub("", next(lines, ""))

    @property
    def signature(self) -> str:
        """Who says so."""
        return self.explanations[0].signature if self.explanations else ""

    @property
    def density(self) -> float:
        """The share of tokens it fires on."""
        return float(self.scope.index.fact("density")[self.index])

    @property
    def max_activation(self) -> float:
        """Its largest activation."""
        return float(self.scope.index.fact("max")[self.index])

    @property
    def rarity(self) -> str:
        """`dead`, `ultralow` or nothing."""
        index = self.scope.index
        return rarity(
            int(index.fact("n_active")[self.index]), int(index.fact("n_tokens")[self.index])
        )

    @property
    def fires_on(self) -> tuple[str, ...]:
        """The tokens it fires on most."""
        return self._first("fires")

    @property
    def promotes(self) -> tuple[str, ...]:
        """The tokens it promotes most."""
        return self._first("promotes")

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it was found, the weightiest first; its strongest context where only numbers were."""
        found = [reason for kind in KINDS for reason in self._reasons(kind)]
        if self.close:
            found.append(self._meant(self.close))
        shows_text = any(reason.excerpt and reason.kind == "context" for reason in found)
        strongest = None if shows_text else self._strongest()
        return (*found, strongest) if strongest else tuple(found)

    def _first(self, kind: str) -> tuple[str, ...]:
        tokens = self.scope.index.tokens[kind].of(self.index)
        return tuple(self._read(token) for token, _ in tokens[:_FEW])

    def _read(self, token: int) -> str:
        vocabulary = self.scope.corpus.vocabulary
        return readable(vocabulary[token]) if token < len(vocabulary) else f"‹{token}›"

    def _reasons(self, kind: str) -> Iterator[Reason]:
        terms = [each for each in self.terms if (each.name or self.kind or kind) == kind]
        match kind:
            case "index":
                if any(each.text.replace("\u202f", "").lstrip("0") == str(self.index).lstrip("0")
                       for each in terms):  # fmt: skip
                    yield Reason(kind, note=whole(self.index))
            case "explanation":
                yield from self._explained(terms)
            case "tag":
                yield from self._tagged(terms)
            case "comment":
                yield from self._commented(terms)
            case "context":
                yield from self._contexts(terms)
            case _:
                yield from self._tokens(kind, terms)

    def _explained(self, terms: Sequence[Term]) -> Iterator[Reason]:
        phrases = _phrases(terms)
        for each in self.explanations:
            if excerpt := excerpts.of_text(each.text, phrases):
                yield Reason("explanation", excerpt=excerpt, note=each.signature)

    def _meant(self, close: Close) -> Reason:
        return Reason(
            "meaning",
            excerpt=excerpts.of_start(close.explanation.text),
            note=f"cosine {fixed(close.cosine, 2)}, {close.explanation.signature}",
            url=f"{self.url}#explanation-{close.explanation.pk}",
        )

    def _tagged(self, terms: Sequence[Term]) -> Iterator[Reason]:
        phrases = _phrases(terms)
        for each in self.tags:
            if excerpt := excerpts.of_text(each.name, phrases):
                url = reverse("tagged", args=[each.name])
                yield Reason("tag", excerpt=excerpt, note=each.author.get_username(), url=url)

    def _commented(self, terms: Sequence[Term]) -> Iterator[Reason]:
        phrases = _phrases(terms)
        for each in self.comments:
            if excerpt := excerpts.of_text(each.text, phrases):
                url = f"{self.url}{each.query}#comment-{each.pk}"
                yield Reason("comment", excerpt=excerpt, note=each.signature, url=url)

    def _tokens(self, kind: str, terms: Sequence[Term]) -> Iterator[Reason]:
        wanted = {token for term in terms for token in self.scope.tokens(term).tolist()}
        found = [
            Chip(self._read(token), _figure(kind, value))
            for token, value in self.scope.index.tokens[kind].of(self.index)
            if token in wanted
        ]
        if found:
            yield Reason(kind, tuple(found[:_FEW]), more=len(found[_FEW:]))

    def _contexts(self, terms: Sequence[Term]) -> Iterator[Reason]:
        index = self.scope.index
        for phrase in _phrases(terms):
            if place := best_place(index, self.index, phrase):
                top = self._top(place.activation)
                excerpt = excerpts.of_place(self.scope.corpus, place, top)
                yield Reason("context", excerpt=excerpt, note=self._counted(phrase))

    def _counted(self, phrase: Phrase) -> str:
        held, index = held_by(self.scope.index, phrase), self.scope.index
        of_all = f"of {whole(int(index.fact('n_examples')[self.index]))} stored examples"
        if at_peak := int(held.at_peak[self.index]):
            return f"peaks in it in {whole(at_peak)} {of_all}"
        if held.only_peaks:  # others were not counted
            return "no peak in it"
        return f"in {whole(int(held.elsewhere[self.index]))} {of_all}, but no peak"

    def _strongest(self) -> Reason | None:
        place = self.scope.index.strongest(self.index)
        if place is None:
            return None
        corpus = self.scope.corpus
        excerpt = excerpts.of_place(corpus, place, self._top(place.activation))
        return Reason("context", excerpt=excerpt, note="strongest")

    def _top(self, activation: float) -> float:
        """The extreme of the end an activation lies at."""
        name = "max" if activation >= 0 else "min"
        return float(self.scope.index.fact(name)[self.index])


def hits(results: Results, user: Reader) -> list[Hit]:
    """The latents of the page shown."""
    terms = tuple(term for term in results.asked.query.terms if term.is_text and not term.negated)
    wanted = [(scope.run.dictionary_id, index) for scope, index in results.hits]
    said = {
        kind: by_latent(of_latents(kind, wanted, user))
        for kind in WRITTEN
        if kind == "explanation" or results.finder.found_any(kind)
    }

    def of(kind: str, latent: tuple[int, int]) -> tuple[Any, ...]:
        return tuple(said.get(kind, {}).get(latent, ()))

    return [
        Hit(
            *(scope, index, terms, results.asked.kind),
            explanations=of("explanation", latent),
            tags=of("tag", latent),
            comments=of("comment", latent),
        )
        for (scope, index), latent in zip(results.hits, wanted, strict=True)
    ]


def by_latent(texts: Iterable[Any]) -> dict[tuple[int, int], list[Any]]:
    """Texts by their latents (dictionary, index), in order."""
    found: dict[tuple[int, int], list[Any]] = {}
    for each in texts:
        found.setdefault((each.dictionary_id, each.index), []).append(each)
    return found


def _phrases(terms: Sequence[Term]) -> list[Phrase]:
    found = [Phrase.of(term.text, term.is_beginning) for term in terms]
    return [phrase for phrase in found if phrase.words]


def _figure(kind: str, value: float) -> str:
    return f"{percent(value)} of its firing" if kind == "fires" else signed(value, 2)
