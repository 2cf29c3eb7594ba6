"""Two to four latents side by side: what can be compared, exactly, and why the rest cannot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

from featureviz.catalog import questions
from featureviz.catalog.addresses import find_latent
from featureviz.catalog.models import Latent, Question, Run
from featureviz.dashboards import comparisons
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.own_class import Firing
from featureviz.dashboards.relations import Related
from featureviz.dashboards.schema import Dashboard, Example
from featureviz.dashboards.store import StoreError
from featureviz.dashboards.text import readable

LETTERS = ("a", "b", "c", "d")
PROMOTED = 10  # tokens a latent promotes most
CONTEXTS = 8  # of each latent, strongest first
_ADDRESS = re.compile(r"([^/]+)/([^/]+)/(\d{1,9})(?:\.json)?")


@dataclass(frozen=True)
class Compared:
    """A latent, or one end of a signed one, in a comparison."""

    letter: str
    latent: Latent
    is_negative: bool = False  # the end below 0

    @property
    def run(self) -> Run:
        """Where its numbers come from."""
        return self.latent.run

    @property
    def corpus(self) -> StoredCorpus:
        """Where its text comes from."""
        return self.run.corpus.stored

    @property
    def end(self) -> int:
        """Its number in the spool, where both ends of a signed latent have one."""
        return self.latent.index * self.run.ends + self.is_negative

    @property
    def address(self) -> str:
        """As a reader would type it."""
        return f"{self.latent}{'?end=neg' if self.is_negative else ''}"

    @cached_property
    def dashboard(self) -> Dashboard:
        """What its run keeps of it. Raises: StoreError when that is damaged or gone."""
        found = self.run.dashboard(self.latent.index)
        return found.negative or found if self.is_negative else found

    @cached_property
    def firing(self) -> Firing | None:
        """Where it is active; none when its run's activations were deleted."""
        plan = self.run.plan
        contexts = self.run.corpus.n_contexts
        size = int(plan.get("shard_size", 0)) or contexts
        places = size * self.run.corpus.context_size
        try:
            return comparisons.firing_of(self.run.folder, self.end, -(-contexts // size), places)
        except StoreError:
            return None

    @cached_property
    def fired(self) -> Counter[bytes]:
        """How often it is active on each token, by the token's bytes; needs its activations."""
        if self.firing is None:
            return Counter()
        counts, vocabulary = comparisons.fired_tokens(self.firing, self.corpus), self.vocabulary
        named: Counter[bytes] = Counter()
        for token, count in counts.items():
            named[vocabulary[token]] += count
        return named

    @property
    def vocabulary(self) -> list[bytes]:
        """The bytes of every token id."""
        return self.corpus.vocabulary

    @property
    def promoted(self) -> list[bytes]:
        """The tokens it promotes most, most first."""
        logits = self.dashboard.shown_logits
        return [self.vocabulary[row.token] for row in logits.top[:PROMOTED]] if logits else []

    def active_in(self, context: int) -> dict[int, float]:
        """Its activations in a context, with their sign."""
        if self.firing is None:
            return {}
        found = comparisons.in_context(self.firing, context, self.run.corpus.context_size)
        sign = -1 if self.is_negative else 1
        return {position: sign * value for position, value in found.items()}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number about a pair; where there is none, why."""

    value: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """How two latents go together by what they write; none where that is not defined."""

    cosine: float | None
    logit_correlation: float | None


@dataclass(frozen=True)
class Pair:
    """Two of the latents."""

    a: Compared
    b: Compared

    @cached_property
    def weights(self) -> Weights | None:
        """As a run keeps them, else as a worker answered; none yet where neither."""
        kept = _kept(self.a, self.b) or _kept(self.b, self.a)
        if kept:
            return Weights(kept.cosine, kept.logit_correlation)
        return Weights(**self.asked.answer) if self.asked and self.asked.answer else None

    @cached_property
    def asked(self) -> Question | None:
        """What a reader asked of a worker about their weights."""
        return questions.lookup(self.a.run, Question.Kind.WEIGHTS, **self._question)

    @property
    def lacks_weights(self) -> bool:
        """Whether a worker could say more than is known."""
        return NOT_KEPT in (self.cosine.why, self.logit_correlation.why)

    def ask(self) -> Question:
        """Ask a worker for their weights. Raises: questions.TooMany."""
        return questions.ask(self.a.run, Question.Kind.WEIGHTS, **self._question)

    @property
    def _question(self) -> dict[str, Any]:
        return {"latent": self.a.end, "other": self.b.run.key, "other_latent": self.b.end}

    @cached_property
    def problem(self) -> str:
        """Why their activations cannot be compared; empty: they can."""
        if self.a.run.corpus_id != self.b.run.corpus_id:
            return "They were run over different texts."
        for each in (self.a, self.b):
            if each.firing is None:
                return (
                    f"The activations of {each.run.dictionary} were deleted; "
                    f"`python manage.py precompute --resume {each.run.key[:8]}` brings them back."
                )
        return ""

    @cached_property
    def meeting(self) -> comparisons.Meeting | None:
        """Where both fire; none where activations cannot be compared."""
        if self.a.firing is None or self.b.firing is None or self.problem:
            return None
        n_tokens = self.a.corpus.facts.n_tokens
        return comparisons.meet(self.a.firing, self.b.firing, n_tokens)

    @property
    def n_both(self) -> Figure:
        """Tokens both fire on."""
        return Figure(self.meeting.n_both) if self.meeting else Figure(None, self.problem)

    @property
    def jaccard(self) -> Figure:
        """Of the tokens either fires on, those both do."""
        return Figure(self.meeting.jaccard) if self.meeting else Figure(None, self.problem)

    @property
    def correlation(self) -> Figure:
        """Pearson's, of activations over every counted token."""
        if self.meeting is None:
            return Figure(None, self.problem)
        return Figure(self.meeting.correlation, "One of them never varies.")

    @property
    def cosine(self) -> Figure:
        """Of their decoder rows."""
        one, other = self.a.run.dictionary, self.b.run.dictionary
        if one.model.digest != other.model.digest:
            return Figure(None, "They write into different models.")
        if one.hook != other.hook:
            return Figure(None, f"They write at {one.hook} and at {other.hook}.")
        if self.weights is None:
            return Figure(None, NOT_KEPT)
        return Figure(self.weights.cosine, "One of them has no direction.")

    @property
    def logit_correlation(self) -> Figure:
        """Pearson's, of logit weights over the vocabulary."""
        if not self.reads_alike:
            return Figure(None, "Their models have different vocabularies.")
        if not (self.a.promoted and self.b.promoted):
            return Figure(None, "One of them writes no logits directly.")
        if self.weights is None:
            return Figure(None, NOT_KEPT)
        return Figure(self.weights.logit_correlation, "One of them writes no logits directly.")

    @property
    def token_overlap(self) -> Figure:
        """What their shares of firing on each token have in common."""
        if self.a.firing is None or self.b.firing is None:
            return Figure(None, self.problem or "Activations were deleted.")
        return Figure(comparisons.overlap(self.a.fired, self.b.fired), "One of them never fires.")

    @property
    def shared_promoted(self) -> Figure:
        """How many of the tokens each promotes most are the same."""
        if not (self.a.promoted and self.b.promoted):
            return Figure(None, "One of them writes no logits directly.")
        return Figure(len(set(self.a.promoted) & set(self.b.promoted)))

    @property
    def reads_alike(self) -> bool:
        """Whether both have the same tokens."""
        return (
            self.a.run.corpus_id == self.b.run.corpus_id or self.a.vocabulary == self.b.vocabulary
        )


NOT_KEPT = "Not computed for this pair yet."

_FIGURES = {  # as records name them: as a pair does
    "n_both_active": "n_both",
    "jaccard": "jaccard",
    "activation_correlation": "correlation",
    "decoder_cosine": "cosine",
    "logit_weight_correlation": "logit_correlation",
    "firing_token_overlap": "token_overlap",
    "n_shared_promoted_tokens": "shared_promoted",
}


@dataclass(frozen=True, slots=True)
class SharedContext:
    """A context one of the latents keeps, and what each of them does there."""

    of: Compared  # whose strongest contexts it is among
    example: Example
    rank: int  # there, from 1
    also: tuple[Compared, ...]  # others that keep it
    beside: tuple[Compared, ...]  # those that ran over this text, in their order


@dataclass(frozen=True)
class Comparison:
    """The latents of one address."""

    latents: tuple[Compared, ...]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every two of them."""
        return [Pair(a, b) for a, b in combinations(self.latents, 2)]

    @cached_property
    def firing_tokens(self) -> list[bytes]:
        """The tokens they fire on, those first that are a large share of several's firing."""
        totals = [max(1, each.fired.total()) for each in self.latents]
        shares = {
            token: [
                each.fired[token] / total for each, total in zip(self.latents, totals, strict=True)
            ]
            for token in set().union(*(each.fired for each in self.latents))
        }
        return sorted(
            shares, key=lambda token: (-_second(shares[token]), -max(shares[token]), token)
        )

    @cached_property
    def contexts(self) -> list[SharedContext]:
        """Each latent's strongest contexts, a context once."""
        found, seen = [], set()
        for each in self.latents:
            distinct = [example for example in each.dashboard.top if not example.alike]
            fresh = [one for one in distinct if (each.run.corpus_id, one.context) not in seen]
            for rank, example in enumerate(fresh[:CONTEXTS], 1):
                seen.add((each.run.corpus_id, example.context))
                found.append(self._shared(each, example, rank))
        return found

    def _shared(self, of: Compared, example: Example, rank: int) -> SharedContext:
        beside = [
            each
            for each in self.latents
            if each.run.corpus_id == of.run.corpus_id and each.firing is not None
        ]
        also = [
            each
            for each in beside
            if each is not of and any(one.context == example.context for one in each.dashboard.top)
        ]
        return SharedContext(of, example, rank, tuple(also), tuple(beside))


def find(letter: str, typed: str) -> Compared | None:
    """The latent at what a reader typed or pasted: an address of this site, or a part of it."""
    try:
        parts = urlsplit(typed.strip())
    except ValueError:  # half an IPv6 address
        return None
    address = _ADDRESS.fullmatch(parts.path.strip("/"))
    latent = find_latent(address[1], address[2], int(address[3])) if address else None
    if latent is None:
        return None
    is_negative = latent.run.ends > 1 and parse_qs(parts.query).get("end") == ["neg"]
    return Compared(letter, latent, is_negative)


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """A comparison in plain values. Raises: StoreError when a run's files are damaged or gone."""
    return {
        "latents": [_latent(each) for each in comparison.latents],
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "firing_tokens": [
            {
                "token": readable(token),
                "n_active": {each.address: each.fired[token] for each in comparison.latents},
            }
            for token in comparison.firing_tokens
        ],
        "contexts": [_context(shared) for shared in comparison.contexts],
    }


def _latent(each: Compared) -> dict[str, Any]:
    board = each.dashboard
    return {
        "letter": each.letter,
        "address": each.address,
        "run": each.run.key,
        "hook": each.run.dictionary.hook,
        "corpus": each.run.corpus.digest,
        "n_tokens": board.n_tokens,
        "n_active": board.n_active,
        "density": board.density,
        "max_activation": board.max_activation,
        "mean_activation": board.mean_activation,
        "promoted": [readable(token) for token in each.promoted],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    figures: dict[str, Figure] = {name: getattr(pair, own) for name, own in _FIGURES.items()}
    return {
        "a": pair.a.address,
        "b": pair.b.address,
        **{name: figure.value for name, figure in figures.items()},
        "why_not": {name: each.why for name, each in figures.items() if each.value is None},
    }


def _context(shared: SharedContext) -> dict[str, Any]:
    corpus, context = shared.of.corpus, shared.example.context
    length = int(corpus.lengths[context])
    tokens = corpus.tokens[context, :length].tolist()
    activations: Mapping[str, list[float]] = {
        each.address: _dense(each.active_in(context), length) for each in shared.beside
    }
    return {
        "context": context,
        "position": shared.example.position,
        "kept_by": [each.address for each in (shared.of, *shared.also)],
        "tokens": [readable(corpus.vocabulary[token]) for token in tokens],
        "token_ids": tokens,
        "activations": activations,
    }


def _dense(active: Mapping[int, float], length: int) -> list[float]:
    return [active.get(position, 0.0) for position in range(length)]


def _kept(a: Compared, b: Compared) -> Related | None:
    if a.run.ends > 1 or b.run.ends > 1 or a.run.corpus_id != b.run.corpus_id:
        return None
    try:
        found = a.run.relations(b.run, a.latent.index)
    except StoreError:
        return None
    parent = (found.parent,) if found.parent else ()
    every = (*found.related, *found.children, *parent)
    return next((each for each in every if each.index == b.latent.index), None)


def _second(shares: Sequence[float]) -> float:
    """The second largest: above 0 where two latents have the token."""
    return sorted(shares)[-2] if len(shares) > 1 else 0.0
