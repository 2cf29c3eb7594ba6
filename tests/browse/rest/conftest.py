"""Programs that act as people."""

import pytest
from django.test import Client

from featureviz.annotate import tokens


@pytest.fixture(autouse=True)
def _new_minute():
    """No request of another test counts here."""
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def programs(people):
    """One of each person, strict about CSRF as a server is."""
    return {
        name: Client(
            enforce_csrf_checks=True,
            headers={"Authorization": f"Bearer {tokens.create(person, 'test')}"},
        )
        for name, person in people.items()
    }


@pytest.fixture
def bob(programs, team):
    """A program of an annotator of the team."""
    return programs["bob"]


@pytest.fixture
def send():
    """Ask with a body of JSON."""

    def ask(program, method, path, **body):
        return getattr(program, method)(path, body, content_type="application/json")

    return ask
