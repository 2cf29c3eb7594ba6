"""The cast: alice owns, bob is in her team, charlie is a stranger; and their workspace."""

import pytest
from django.test import Client

from featureviz.annotate import workspaces
from featureviz.catalog.models import Membership
from featureviz.catalog.permissions import Role
from tests.factories import make_run

PASSWORD = "a long password of theirs"


@pytest.fixture
def accounts(settings):
    """An installation with accounts."""
    settings.FEATUREVIZ_ACCOUNTS = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return settings


@pytest.fixture
def people(db, django_user_model):
    """Everybody, by name."""
    names = ("alice", "bob", "charlie", "rita", "edith")
    return {name: django_user_model.objects.create_user(name, password=PASSWORD) for name in names}


def at_address(workspace, slug):
    """A workspace at an address without random digits."""
    workspace.slug = slug
    workspace.save(update_fields=["slug"])
    return workspace


@pytest.fixture
def team(accounts, people, store):
    """A private workspace with the run demo/sae.

    Alice owns it, edith edits, bob annotates, rita reads.
    """
    team = at_address(workspaces.create("The team", people["alice"]), "the-team")
    for name, role in (("edith", Role.EDITOR), ("bob", Role.ANNOTATOR), ("rita", Role.READER)):
        Membership.objects.create(workspace=team, user=people[name], role=role)
    workspaces.move(make_run().dictionary, team)
    return team


@pytest.fixture
def browsers(people):
    """A signed-in browser of each, and one of nobody."""
    opened = {"nobody": Client()}
    for name, person in people.items():
        opened[name] = Client()
        opened[name].force_login(person)
    return opened
