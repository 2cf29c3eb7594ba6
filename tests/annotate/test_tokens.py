"""A token acts as its person, is kept as a digest, and ends when it is revoked."""

import hashlib

import pytest

from featureviz.annotate import tokens
from featureviz.annotate.models import ApiToken
from featureviz.annotate.texts import AnnotateError

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(people):
    return people["alice"]


def test_only_the_digest_is_kept(alice):
    token = tokens.create(alice, " my  notebook ")
    row = ApiToken.objects.get()
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(vars(row))
    assert row.name == "my notebook"


def test_it_is_found_and_its_use_is_noted(alice):
    found = tokens.found(tokens.create(alice, "x"))
    assert found.user == alice
    assert ApiToken.objects.get().used_at


@pytest.mark.parametrize("token", ["", "fv_", "\0", "\ud800", "fv_" + "x" * 43])
def test_what_is_no_token_is_not_found(alice, token):
    tokens.create(alice, "x")
    assert tokens.found(token) is None


def test_a_revoked_one_opens_nothing_and_only_its_person_revokes_it(alice, people):
    token = tokens.create(alice, "x")
    row = ApiToken.objects.get()
    tokens.revoke(people["bob"], row.pk)
    assert tokens.found(token)
    tokens.revoke(alice, row.pk)
    assert tokens.found(token) is None


def test_who_may_not_sign_in_has_no_token(alice):
    token = tokens.create(alice, "x")
    alice.is_active = False
    alice.save()
    assert tokens.found(token) is None


def test_a_token_is_for_something(alice):
    with pytest.raises(AnnotateError, match="what the token is for"):
        tokens.create(alice, " \0")


def test_there_is_a_most(alice, monkeypatch):
    monkeypatch.setattr(tokens, "_MOST", 1)
    tokens.create(alice, "x")
    with pytest.raises(AnnotateError, match="Revoke one"):
        tokens.create(alice, "y")
