"""Explanations close in meaning to what was typed, by the cosine of their vectors.

A worker turns the query into a vector (`catalog/questions.py`); all else is numpy over the vectors
that workers kept (`annotate/meaning.py`), held in this process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db.models import Count, Max

from featureviz.annotate.meaning import STORED
from featureviz.annotate.models import Explanation, ExplanationVector
from featureviz.browse.asking import Asked
from featureviz.browse.search.hits import Close, Hit, by_latent
from featureviz.browse.search.language import Query, Term
from featureviz.browse.search.results import Results
from featureviz.browse.search.written import of_latents
from featureviz.catalog import questions
from featureviz.catalog.models import Question, Run
from featureviz.dashboards.words import Ints

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

SHOWN = 10  # latents
MOST = 250_000  # vectors held; the oldest, where there are more
_QUICK = 0.5  # seconds a page waits for a worker
_AT_ONCE = 512  # explanations, the closest first, that are looked up together
_NO_WORKER = "No worker is up, so meaning was left out."
_BUSY = "Many questions wait already, so meaning was left out."
_NOTHING = np.empty((0, 0), STORED)
_NONE = "No other explanation here has been read for its meaning."


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is close in meaning, or why that is not known."""

    hits: tuple[Hit, ...] = ()
    left_out: str = ""
    asked: Asked | None = None  # a question that waits


@dataclass(frozen=True, slots=True)
class Vectors:
    """All vectors of an embedding model, in the order they were kept."""

    state: tuple[int, int]  # how many there were in the database, and the last primary key
    rows: Ints  # [n, 5] primary key, explanation, version, dictionary, index
    matrix: npt.NDArray[np.float32]  # [n, d], of length 1

    def renewed(self, later: Vectors) -> Vectors:
        """With later ones, each in place of an earlier one of its explanation."""
        if not len(self.rows) or not len(later.rows):
            return later if len(later.rows) else self
        kept = ~np.isin(self.rows[:, 1], later.rows[:, 1])
        rows = np.concatenate([self.rows[kept], later.rows])
        return Vectors(later.state, rows, np.concatenate([self.matrix[kept], later.matrix]))


_held: dict[str, Vectors] = {}


def meant(query: Query) -> str:
    """The words a query is made of, as a text; empty where it has no bare ones."""
    return " ".join(term.text for term in query.terms if _is_meant(term))


def closest(results: Results, user: Reader) -> Meaning | None:
    """The latents close in meaning to a search's bare words that the words do not find.

    None where no embedding model is configured, or nothing is asked for in bare words.
    """
    text = meant(results.asked.query)
    folder = settings.FEATUREVIZ_EMBEDDING_MODEL
    if folder is None or not text or results.asked.kind or not results.scopes:
        return None
    try:
        question = _question(results.scopes[0].run, text=text, model=_stamp(folder))
    except questions.TooMany:
        return Meaning(left_out=_BUSY)
    if question is None:
        return Meaning(left_out=_NO_WORKER)
    asked = Asked(question)
    if asked.answer is None:
        return Meaning(asked=asked)
    hits = tuple(_hits(results, asked.answer, user))
    return Meaning(hits, "" if hits else _NONE)


def vectors(model: str) -> Vectors:
    """The vectors of a model as they are now; what was read before is kept."""
    rows = ExplanationVector.objects.filter(model=model)
    now = rows.aggregate(count=Count("pk"), last=Max("pk"))
    state = now["count"], now["last"] or 0
    held = _held.get(model)
    if held is None or held.state != state:
        renewed = held and held.renewed(_read(model, state, after=held.state[1]))
        # A worker that was slow may have kept a row before the last one: then all are read again.
        is_whole = renewed is not None and len(renewed.rows) == state[0] <= MOST
        held = renewed if renewed is not None and is_whole else _read(model, state)
        _held.clear()
        _held[model] = held
    return held


def _is_meant(term: Term) -> bool:
    is_bare = not (term.name or term.negated or term.is_beginning)
    return is_bare and any(character.isalpha() for character in term.text)


def _question(run: Run, **asked: str) -> Question | None:
    """What was asked, answered if that is quick; none where nobody would answer."""
    found = questions.lookup(run, Question.Kind.MEANING, **asked)
    if found and found.state in (Question.State.ANSWERED, Question.State.REFUSED):
        return found
    if not questions.is_anyone_there(Question.Kind.MEANING):
        return None
    return questions.wait(questions.ask(run, Question.Kind.MEANING, **asked), _QUICK)


def _stamp(folder: Path) -> str:
    """Names, sizes and times of the model's files: another model's answers are not taken."""
    files = [(path.name, path.stat()) for path in folder.iterdir()] if folder.is_dir() else []
    stats = sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)
    return hashlib.sha256(repr(stats).encode()).hexdigest()


def _read(model: str, state: tuple[int, int], after: int = 0) -> Vectors:
    found = ExplanationVector.objects.filter(model=model, pk__gt=after).order_by("pk")[:MOST]
    columns = ("pk", "explanation", "version", "explanation__dictionary", "explanation__index")
    rows: list[tuple[int, ...]] = []
    kept: list[bytes] = []
    for *row, vector in found.values_list(*columns, "vector").iterator(1000):
        rows.append(tuple(row))
        kept.append(bytes(vector))
    matrix = np.frombuffer(b"".join(kept), STORED).reshape(len(kept), -1) if kept else _NOTHING
    return Vectors(state, np.array(rows, np.int64).reshape(-1, 5), matrix)


def _hits(results: Results, answer: Any, user: Reader) -> list[Hit]:
    found = _closest(results, answer, user)
    wanted = [(each.explanation.dictionary_id, each.explanation.index) for each in found]
    said = by_latent(of_latents("explanation", wanted, user))
    scopes = {each.scope.run.dictionary_id: each.scope for each in results.here}
    return [
        Hit(scopes[latent[0]], latent[1], (), "", tuple(said.get(latent, ())), close=close)
        for close, latent in zip(found, wanted, strict=True)
    ]


def _closest(results: Results, answer: Any, user: Reader) -> list[Close]:
    """The closest explanation of each of the closest latents, those that may be read."""
    known = vectors(answer["model"])
    allowed = _allowed(results, known.rows)
    if not len(allowed):
        return []
    cosines = known.matrix @ np.array(answer["vector"], STORED)
    found: dict[tuple[int, int], Close] = {}
    for some in _ranked(results, known.rows, allowed, np.round(cosines[allowed], 6)):
        texts = _readable(known.rows[some], user)
        for at in some.tolist():
            _, explanation, version, dictionary, index = known.rows[at].tolist()
            text = texts.get((explanation, version))
            if text and (dictionary, index) not in found:
                found[dictionary, index] = Close(text, float(cosines[at]))
            if len(found) == SHOWN:
                return list(found.values())
    return list(found.values())


def _allowed(results: Results, rows: Ints) -> Ints:
    """Vectors of latents that are looked at, meet all other terms, and are not found already."""
    _, _, _, dictionary, index = rows.T
    allowed = np.zeros(len(rows), np.bool_)
    for judged in results.here:
        others = np.ones(len(judged.scope), np.bool_)
        for term, match in zip(judged.terms, judged.matches, strict=True):
            if not _is_meant(term):
                others &= match.mask
        others &= ~judged.mask()
        here = np.flatnonzero(
            (dictionary == judged.scope.run.dictionary_id) & (index < len(judged.scope))
        )
        allowed[here] = others[index[here]]
    return np.flatnonzero(allowed)


def _ranked(
    results: Results, rows: Ints, allowed: Ints, cosines: npt.NDArray[np.float32]
) -> Iterator[Ints]:
    """Vectors by cosine, equal ones by address, some at a time; all are sorted only if need be."""
    places = {each.scope.run.dictionary_id: at for at, each in enumerate(results.here)}
    least = np.partition(cosines, -_AT_ONCE)[-_AT_ONCE] if len(cosines) > _AT_ONCE else -np.inf
    for part in (cosines >= least, cosines < least):
        ranked = _sorted(rows, allowed[part], cosines[part], places)
        for start in range(0, len(ranked), _AT_ONCE):
            yield ranked[start : start + _AT_ONCE]


def _sorted(
    rows: Ints, some: Ints, cosines: npt.NDArray[np.float32], places: dict[int, int]
) -> Ints:
    place = np.array([places[dictionary] for dictionary in rows[some, 3].tolist()], np.int64)
    return some[np.lexsort((rows[some, 1], rows[some, 4], place, -cosines))]


def _readable(rows: Ints, user: Reader) -> dict[tuple[int, int], Explanation]:
    """Explanations by primary key and version; a text changed since it was read is missing."""
    named = Explanation.objects.readable(user).filter(pk__in=rows[:, 1].tolist())
    return {(each.pk, each.version): each for each in named.select_related("author")}
