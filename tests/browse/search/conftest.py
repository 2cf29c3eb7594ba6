"""A site that can be searched."""

import pytest
from django.contrib.auth.models import User

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


def explain(run, index, text, by="ada"):
    user, _ = User.objects.get_or_create(username=by)
    return write(run.dictionary, index, text, Signature(author=user))
