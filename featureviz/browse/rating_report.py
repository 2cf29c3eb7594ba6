"""What a closed rating session found: scores by dictionary, and how far its raters agree."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from statistics import median
from typing import Any

from django.utils.safestring import SafeString, mark_safe

import featureviz
from featureviz.annotate import rubric
from featureviz.annotate.agreement import Spread, alpha
from featureviz.annotate.rating_models import RatedLatent, Rating, RatingSession
from featureviz.browse.rating_plots import score_plot
from featureviz.catalog.models import Dictionary, Run

COLUMNS = (
    "session", "seed", "number", "address", "end", "run", "rater", "hypothesis", "group",
    "confidence", "tokens", "logits", "gap", "specificity", "score", "latent_score",
    "submitted_at",
)  # fmt: skip
_Values = Callable[[rubric.Answers], Iterable[tuple[str, float]]]  # part of the latent, value
_SHARED = ("confidence", "logits", "gap", "specificity")


@dataclass(frozen=True, slots=True)
class Source:
    """The scores of one dictionary."""

    name: str
    n_latents: int
    n_ratings: int  # of latents, by all raters
    latents: Spread | None  # scores of latents, each rating one
    groups: Spread | None  # scores of groups, each rating one

    @property
    def quite(self) -> float | None:
        """The share of groups the paper would read as quite interpretable."""
        if self.groups is None:
            return None
        return sum(self.groups.counts[rubric.QUITE + 1 :]) / self.groups.n

    @property
    def plot(self) -> SafeString:
        """The scores of its groups."""
        if self.groups is None:
            return SafeString()
        return mark_safe(score_plot(self.groups, rubric.QUITE))  # noqa: S308 - numbers only


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree on something."""

    name: str
    unit: str
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A latent, and what every rater made of it."""

    latent: RatedLatent
    ratings: list[Rating]

    @property
    def median(self) -> float | None:
        """Of its scores; none when nobody rated it."""
        found = [rubric.overall(each.answers) for each in self.ratings]
        return median(found) if found else None

    @property
    def said(self) -> list[tuple[str, float, str]]:
        """Rater, score, hypothesis."""
        return [
            (each.rater.get_username(), rubric.overall(each.answers), each.hypothesis)
            for each in self.ratings
        ]


@dataclass(frozen=True)
class Report:
    """A closed session, of whose latents those are told that the reader may read."""

    session: RatingSession

    @cached_property
    def latents(self) -> list[RatedLatent]:
        """In the order they were rated in."""
        readable = Run.objects.readable().values("dictionary")
        found = self.session.latents.filter(dictionary__in=readable)
        return list(found.select_related("dictionary__model"))

    @cached_property
    def ratings(self) -> list[Rating]:
        """What was submitted, by latent, then rater."""
        found = Rating.objects.filter(latent__in=self.latents, submitted_at__isnull=False)
        by_name = found.order_by("latent__number", "rater__username")
        return list(by_name.select_related("rater", "latent__dictionary__model"))

    @cached_property
    def sources(self) -> list[Source]:
        """Each dictionary, the one with the best median first."""
        found = {each.dictionary_id: each.dictionary for each in self.latents}
        sources = map(self._source, found.values())
        return sorted(sources, key=lambda each: (-_median(each.groups), each.name))

    @cached_property
    def levels(self) -> list[tuple[str, list[float | None]]]:
        """Groups from strongest to weakest, with the median score of each dictionary there."""
        return [
            (group, [self._level(group, each.name) for each in self.sources])
            for group in rubric.GROUPS
        ]

    @cached_property
    def lines(self) -> list[Line]:
        """Every latent with its ratings."""
        return [
            Line(latent, [each for each in self.ratings if each.latent_id == latent.pk])
            for latent in self.latents
        ]

    @cached_property
    def agreements(self) -> list[Agreement]:
        """Krippendorff's alpha of scores, then of the answer to each question."""
        return [
            Agreement("Score", "latent", self._alpha(lambda one: [("", rubric.overall(one))])),
            Agreement("Score", "group", self._alpha(lambda one: rubric.scores(one).items())),
            Agreement("Strong tokens", "group", self._alpha(lambda one: one.tokens.items())),
            *[Agreement(_title(name), "latent", self._alpha(_answer(name))) for name in _SHARED],
        ]

    @cached_property
    def runs(self) -> list[Run]:
        """What raters were shown."""
        keys = {each.run_key for each in self.latents}
        found = Run.objects.readable().filter(key__in=keys)
        return list(found.select_related("dictionary__model", "corpus").order_by("key"))

    def rows(self) -> Iterator[dict[str, object]]:
        """Each group of each rating, by the names of COLUMNS."""
        for rating in self.ratings:
            answers, latent = rating.answers, rating.latent
            scores = rubric.scores(answers)
            for group in _in_order(answers.tokens):
                values = (
                    self.session.name,
                    self.session.seed,
                    latent.number,
                    str(latent),
                    "negative" if latent.is_negative else "positive",
                    latent.run_key,
                    rating.rater.get_username(),
                    rating.hypothesis,
                    group,
                    answers.confidence,
                    answers.tokens[group],
                    answers.logits,
                    answers.gap,
                    answers.specificity,
                    scores[group],
                    rubric.overall(answers),
                    _date(rating.submitted_at),
                )
                yield dict(zip(COLUMNS, values, strict=True))

    def as_csv(self) -> str:
        """One row a group of a rating; what a spreadsheet would take for a formula is marked."""
        written = io.StringIO()
        writer = csv.DictWriter(written, COLUMNS)
        writer.writeheader()
        writer.writerows({key: _text(at) for key, at in row.items()} for row in self.rows())
        return written.getvalue()

    def as_json(self) -> dict[str, object]:
        """Everything, with where it comes from."""
        session = self.session
        return {
            "session": {
                "name": session.name,
                "is_blind": session.is_blind,
                "seed": session.seed,
                "workspace": session.workspace.slug,
                "created_by": session.created_by.get_username(),
                "created_at": _date(session.created_at),
                "closed_at": _date(session.closed_at),
                "closed_by": session.closed_by.get_username() if session.closed_by else None,
                "raters": [each.get_username() for each in session.raters.order_by("username")],
            },
            "runs": [_provenance(run) for run in self.runs],
            "versions": {
                "featureviz": featureviz.__version__,
                "krippendorff": version("krippendorff"),
            },
            "dictionaries": [asdict(each) for each in self.sources],
            "agreement": [asdict(each) for each in self.agreements],
            "ratings": list(self.rows()),
        }

    def _source(self, dictionary: Dictionary) -> Source:
        rated = [each for each in self.ratings if each.latent.dictionary_id == dictionary.pk]
        answers = [each.answers for each in rated]
        return Source(
            str(dictionary),
            sum(each.dictionary_id == dictionary.pk for each in self.latents),
            len(rated),
            Spread.of([rubric.overall(each) for each in answers], rubric.MOST),
            Spread.of(
                [points for each in answers for points in rubric.scores(each).values()],
                rubric.MOST,
            ),
        )

    def _level(self, group: str, name: str) -> float | None:
        found = [
            rubric.scores(each.answers)[group]
            for each in self.ratings
            if group in each.tokens and str(each.latent.dictionary) == name
        ]
        return median(found) if found else None

    def _alpha(self, values: _Values) -> float | None:
        return alpha(
            (rating.rater_id, (rating.latent_id, part), value)
            for rating in self.ratings
            for part, value in values(rating.answers)
        )


def _answer(name: str) -> Callable[[rubric.Answers], list[tuple[str, float]]]:
    return lambda one: [("", getattr(one, name))]


def _title(name: str) -> str:
    return {"logits": "Promoted tokens", "gap": "Gap"}.get(name, name.capitalize())


def _median(spread: Spread | None) -> float:
    return spread.median if spread else -1.0


def _in_order(tokens: Iterable[str]) -> list[str]:
    return [group for group in rubric.GROUPS if group in set(tokens)]


def _provenance(run: Run) -> dict[str, Any]:
    dictionary, corpus = run.dictionary, run.corpus
    return {
        "key": run.key,
        "dictionary": str(dictionary),
        "dictionary_digest": dictionary.digest,
        "model_digest": dictionary.model.digest,
        "hook": dictionary.hook,
        "corpus": corpus.name,
        "corpus_digest": corpus.digest,
        "seed": run.plan.get("seed"),
        "published_at": _date(run.published_at),
        "versions": run.provenance.get("versions", {}),
    }


def _date(when: Any) -> str | None:
    return when.isoformat() if when else None


def _text(value: object) -> object:
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value
