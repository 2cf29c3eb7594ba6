"""The guided form for one latent of a rating session; nothing on it tells where the latent is from.

Activations and logit weights are shares of the latent's largest, as sizes differ between kinds of
dictionaries; an end below 0 is shown as one above; contexts are numbered as they come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape

import msgspec
from django.http import QueryDict
from django.utils.safestring import SafeString, mark_safe

from featureviz.annotate import rubric
from featureviz.annotate.rating_models import RatedLatent, Rating
from featureviz.annotate.rubric import Answers
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.formats import fixed
from featureviz.browse.logits import Weight, logit_forms
from featureviz.browse.rows import Group, Reader, Row
from featureviz.browse.strips import Strip
from featureviz.catalog.models import Run
from featureviz.dashboards.schema import Dashboard, Example, Interval
from featureviz.dashboards.text import readable


@dataclass(frozen=True, slots=True)
class Question:
    """A question with points for an answer."""

    name: str  # of the field
    number: int  # of the rubric's steps
    order: int  # in which keys walk through them
    text: str
    least: str  # what no points mean
    best: str  # what all points mean
    most: int
    answer: int | None

    @property
    def choices(self) -> list[tuple[int, str, bool]]:
        """Points, what they mean where that is said, whether they are chosen."""
        words = {0: self.least, self.most: self.best}
        return [
            (points, words.get(points, ""), points == self.answer)
            for points in range(self.most + 1)
        ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A group of examples, and what is asked of it."""

    name: str
    rows: SafeString
    question: Question

    @property
    def title(self) -> str:
        """Where on the scale it lies."""
        if self.name == rubric.TOP:
            return "Strongest contexts"
        upper = int(self.name) / 10
        return f"{fixed(upper - 0.1, 1)} to {fixed(upper, 1)} of its maximum"


@dataclass(frozen=True)
class RatingPage:
    """One latent under its number, and what its rater answered so far."""

    latent: RatedLatent
    run: Run
    rating: Rating | None

    @cached_property
    def groups(self) -> list[Asked]:
        """The strongest contexts and the intervals that have examples, strongest first."""
        found: list[Asked] = []
        for group in self._reader.groups():
            name = group.number or group.anchor
            if group.rows and name in rubric.GROUPS:
                found.append(self._asked(name, group, len(found)))
        return found

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of those groups."""
        return tuple(group.name for group in self.groups)

    @cached_property
    def promoted(self) -> list[Weight]:
        """The tokens it promotes; the largest weight is 1."""
        vocabulary = self.run.corpus.stored.vocabulary
        forms = logit_forms(self._shown, lambda token: readable(vocabulary[token]))
        rows = forms[0].promoted if forms else ()
        largest = abs(rows[0].value) if rows else 1.0
        return [replace(row, value=row.value / (largest or 1.0)) for row in rows]

    @property
    def confidence(self) -> Question:
        """Step 2."""
        text = "How sure are you of this hypothesis?"
        return self._question("confidence", 2, (text, "not at all", "certain"), 3)

    @property
    def logits(self) -> Question:
        """Step 4."""
        text = "How many of the tokens it promotes fit the hypothesis?"
        return self._question("logits", 4, (text, "none", "all"), 3)

    @property
    def gap(self) -> Question:
        """Step 5."""
        text = "If some do not fit: are their weights clearly smaller than of those that do?"
        return self._question("gap", 5, (text, "no, or all fit", "yes"), 1)

    @property
    def specificity(self) -> Question:
        """Step 6."""
        text = "How specific is the hypothesis?"
        return self._question("specificity", 6, (text, "anything fits", "one thing"), 3)

    @property
    def has_none(self) -> bool:
        """Whether the rater submitted that they find no hypothesis."""
        return self.is_locked and not self.answers.hypothesis

    @property
    def answers(self) -> Answers:
        """So far."""
        return self.rating.answers if self.rating else Answers()

    @property
    def is_locked(self) -> bool:
        """Whether nothing can be changed any more."""
        submitted = self.rating is not None and self.rating.submitted_at is not None
        return submitted or self.latent.session.closed_at is not None

    @property
    def score(self) -> float:
        """The points of whole answers."""
        return rubric.overall(self.answers)

    def _question(self, name: str, number: int, words: tuple[str, str, str], most: int) -> Question:
        order = number if number < 3 else number + len(rubric.GROUPS)
        return Question(name, number, order, *words, most, getattr(self.answers, name))

    def _asked(self, name: str, group: Group, before: int) -> Asked:
        text = "Do the strong tokens here fit the hypothesis?"
        answer = self.answers.tokens.get(name)
        words = (text, "none does", "all do")
        question = Question(f"tokens-{name}", 3, 3 + before, *words, rubric.MOST_TOKENS, answer)
        return Asked(name, drawn_blind(group.rows), question)

    @cached_property
    def _shown(self) -> Dashboard:
        found = self.run.dashboard(self.latent.index)
        return found.negative if self.latent.is_negative and found.negative else found

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.run.corpus.stored, in_shares(self._shown))


def answers_of(asked: QueryDict) -> Answers:
    """What a form sends. Raises: AnnotateError for what the form does not offer."""
    tokens = {
        group: points
        for group in rubric.GROUPS
        if (points := _points(asked, f"tokens-{group}", rubric.MOST_TOKENS)) is not None
    }
    hypothesis = asked.get("hypothesis", "").replace("\r\n", "\n").replace("\0", "").strip()
    if len(hypothesis) > rubric.LONGEST:
        raise AnnotateError(f"A hypothesis has {rubric.LONGEST} characters at most.")
    return Answers(
        hypothesis,
        _points(asked, "confidence", rubric.MOST_CONFIDENCE),
        _points(asked, "logits", rubric.MOST_LOGITS),
        _points(asked, "gap", rubric.MOST_GAP),
        _points(asked, "specificity", rubric.MOST_SPECIFICITY),
        tokens,
    )


def in_shares(dashboard: Dashboard) -> Dashboard:
    """The same examples, every activation as a share of the extreme; nothing else is kept."""
    extreme = dashboard.max_activation

    def of_extreme(interval: Interval) -> Interval:
        lower, upper = sorted((interval.lower / extreme, interval.upper / extreme))
        examples = tuple(_in_shares(each, extreme) for each in interval.examples)
        return Interval(lower, upper, interval.n_active, examples)

    return msgspec.structs.replace(
        dashboard,
        max_activation=1.0,
        top=tuple(_in_shares(each, extreme) for each in dashboard.top),
        intervals=tuple(map(of_extreme, dashboard.intervals)),
        random=(),
        silent=(),
        negative=None,
    )


def drawn_blind(rows: Sequence[Row]) -> SafeString:
    """Rows without links to where they come from."""
    return mark_safe("".join(_drawn(rows)))  # noqa: S308 - strips escape their text


def _drawn(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        value, example = fixed(row.example.activation, 2), row.example
        alike = f'<abbr title="{example.n_alike} read alike">×{example.n_alike}</abbr>'
        yield (
            f'<li class="row" id="at-{escape(row.anchor)}" data-context="{example.context}">'
            f'<a class="value" href="#at-{escape(row.anchor)}" '
            f'title="The whole context; its strong token has {value} of the maximum">{value}</a>'
            f"{Strip(row).html()}"
            f'<span class="marks">{alike if example.n_alike > 1 else ""}</span></li>'
        )


def _in_shares(example: Example, extreme: float) -> Example:
    return msgspec.structs.replace(
        example,
        activation=example.activation / extreme,
        activations=tuple(each / extreme for each in example.activations),
        effects=None,
        sources=None,
    )


def _points(asked: QueryDict, name: str, most: int) -> int | None:
    typed = asked.get(name, "")
    if not typed:
        return None
    if typed not in map(str, range(most + 1)):
        raise AnnotateError(f"{name} has 0 to {most} points.")
    return int(typed)
