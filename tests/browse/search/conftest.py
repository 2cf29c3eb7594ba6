"""A site that can be searched."""

import pytest
from django.contrib.auth.models import User

from featureviz.annotate import comments, lists
from featureviz.annotate.explanations import Signature, write
from featureviz.catalog.runs import reindex
from tests.factories import make_run


@pytest.fixture
def run(store):
    """demo/sae, 8 latents; the last is dead, the one before fires twice."""
    return searchable()


def searchable(**given):
    run = make_run(**given)
    reindex(run)
    return run


def person(name):
    user, _ = User.objects.get_or_create(username=name)
    return user


def explain(run, index, text, by="ada"):
    return write(run.dictionary, index, text, Signature(author=person(by)))


def comment(run, index, text, by="ada", **at):
    return comments.write(comments.Place(run.dictionary, index, **at), text, person(by))


def tag(run, index, name, by="ada"):
    lists.tag(run.dictionary, index, name, person(by))
