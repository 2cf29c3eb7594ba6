"""A text that a reader typed, as a page shows it: beside the examples, or token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from featureviz.browse.asking import Asked, asked_now
from featureviz.browse.rows import Reader, Row
from featureviz.catalog import questions
from featureviz.catalog.models import Latent, Question, Run
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example

KEPT = "~"  # before the id of a text too long for an address
LONGEST_IN_ADDRESS = 600  # bytes; escaped, each may take three
_GONE = "This text is no longer kept: typed texts are forgotten after a day. Type it again."


class _Facts(NamedTuple):
    has_bos: bool


@dataclass(frozen=True, slots=True)
class TypedCorpus:
    """One typed text in the shape of a corpus of one context."""

    tokens: npt.NDArray[np.int32]  # [1, length]
    lengths: tuple[int]
    vocabulary: Sequence[bytes]
    facts: _Facts

    @classmethod
    def of(cls, answer: Mapping[str, Any], corpus: StoredCorpus) -> "TypedCorpus":
        """A worker's answer, in the corpus's vocabulary."""
        tokens = np.array([answer["tokens"]], np.int32)
        has_bos = corpus.facts.has_bos
        return cls(tokens, (tokens.shape[1],), corpus.vocabulary, _Facts(has_bos))


@dataclass(frozen=True)
class OwnText:
    """The test box of a latent's page: what was typed, and the latent on it."""

    latent: Latent
    dashboard: Dashboard
    given: str  # as the address has it
    text: str
    asked: Asked | None  # none: nothing was typed
    problem: str = ""
    full: float | None = None  # activation of the strongest colour; none: the latent's maximum

    @classmethod
    def of(
        cls, latent: Latent, dashboard: Dashboard, given: str, full: float | None = None
    ) -> "OwnText":
        """Ask a worker for what an address holds; whoever typed nothing asks nothing."""
        if not given.strip():
            return cls(latent, dashboard, "", "", None)
        text = text_of(given)
        if text is None:
            return cls(latent, dashboard, "", "", None, _GONE)
        asked = ask(latent.run, Question.Kind.TEXT, index=latent.index, text=text)
        return cls(latent, dashboard, given, text, asked, full=full)

    @cached_property
    def row(self) -> Row | None:
        """The text as a row on the latent's own colour scale; its peak is the strongest token."""
        answer = self.asked.answer if self.asked else None
        if answer is None:
            return None
        corpus = TypedCorpus.of(answer, self.latent.run.corpus.stored)
        reader = Reader(corpus, self.dashboard, self.full)
        return reader.row("own", _example(answer["activations"], corpus))

    @property
    def is_silent(self) -> bool:
        """Whether the latent is active nowhere in it."""
        return self.row is not None and not self.row.example.positions

    @property
    def n_tokens(self) -> int:
        """Tokens of the text, its start token left out."""
        return len(self.row.tokens) if self.row else 0


def text_of(given: str) -> str | None:
    """The text an address means; None when it is no longer kept."""
    given = given.replace("\r\n", "\n")
    if not given.startswith(KEPT):
        return given
    try:
        found = Question.objects.filter(pk=UUID(given.removeprefix(KEPT))).first()
    except ValueError:
        return given
    return str(found.asked["text"]) if found and "text" in found.asked else None


def address_of(question: Question) -> str:
    """A text as addresses hold it: itself, or where it is kept."""
    text = str(question.asked["text"])
    is_short = len(text.encode()) <= LONGEST_IN_ADDRESS and not text.startswith(KEPT)
    return text if is_short else f"{KEPT}{question.pk}"


def ask(run: Run, kind: Question.Kind, **asked: Any) -> Asked:
    """Ask, and wait as long as a reader hardly notices."""
    try:
        return asked_now(questions.ask(run, kind, **asked))
    except questions.TooMany:
        return Asked(None)


def _example(activations: list[float], corpus: TypedCorpus) -> Example:
    """Where the latent is active; a silent text is cut at its first token."""
    positions = tuple(at for at, value in enumerate(activations) if value)
    strongest = max(positions, key=lambda at: abs(activations[at]), default=0)
    at = strongest if positions else min(int(corpus.facts.has_bos), len(activations) - 1)
    return Example(
        context=0,
        position=at,
        activation=activations[at],
        positions=positions,
        activations=tuple(activations[each] for each in positions),
    )
