"""Explanations and queries whose vectors are given, so that every cosine is known."""

import numpy as np
from django.conf import settings

from featureviz.annotate import meaning as kept
from featureviz.browse.search import meaning
from featureviz.catalog import questions
from featureviz.catalog.addresses import readable_runs
from featureviz.catalog.models import Question
from tests.browse.search.conftest import explain

MODEL = "m" * 64
QUERY = [1.0, 0.0, 0.0]


def at(cosine):
    """A vector of length 1 that has this cosine with the query."""
    return np.array([cosine, np.sqrt(1 - cosine**2), 0], np.float32)


def said(run, index, text, cosine, by="ada"):
    explanation = explain(run, index, text, by)
    kept.keep([explanation], MODEL, at(cosine)[None])
    return explanation


def answered(text, vector=QUERY):
    """What a worker has answered already."""
    run = readable_runs()[0]
    stamp = meaning._stamp(settings.FEATUREVIZ_EMBEDDING_MODEL)
    question = questions.ask(run, Question.Kind.MEANING, text=text, model=stamp)
    Question.objects.filter(pk=question.pk).update(
        state=Question.State.ANSWERED, answer={"model": MODEL, "vector": vector}
    )
