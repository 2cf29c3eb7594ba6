"""Pages that wait for a worker: what they say meanwhile, and the address they ask again."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from featureviz.catalog import questions
from featureviz.catalog.models import Question

QUICK = 1.0  # seconds a page waits before it says that it waits
BUSY = "Many questions wait already. Try again in a minute."


@dataclass(frozen=True)
class Asked:
    """A question as a page shows it; none where so many wait that it was not taken."""

    question: Question | None

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return self.question is not None and self.question.is_open

    @property
    def is_answered(self) -> bool:
        """Whether the answer is there."""
        return self.question is not None and self.question.state == Question.State.ANSWERED

    @property
    def answer(self) -> Mapping[str, Any] | None:
        """What the worker found, once it did."""
        return self.question.answer if self.question and self.is_answered else None

    @property
    def problem(self) -> str:
        """Why there will be no answer, in plain words."""
        return self.question.problem if self.question else BUSY

    @cached_property
    def anyone(self) -> bool:
        """Whether a worker is there to answer."""
        return self.question is not None and questions.is_anyone_there(_kind(self.question))

    @cached_property
    def ahead(self) -> int:
        """How many others come first."""
        return questions.ahead(self.question) if self.question else 0


def asked_now(question: Question) -> Asked:
    """A question just asked; a worker that is quick has answered it by now."""
    there = question.is_open and questions.is_anyone_there(_kind(question))
    return Asked(questions.wait(question, QUICK) if there else question)


def _kind(question: Question) -> Question.Kind:
    return Question.Kind(question.kind)


@never_cache
@require_safe
def live(request: HttpRequest, question: UUID) -> HttpResponse:
    """How a question stands, for the page that waits for it."""
    found = Question.objects.filter(pk=question).first()
    if found is None:
        raise Http404
    return render(request, "browse/_asked.html", {"asked": Asked(found)})
