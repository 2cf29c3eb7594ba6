"""Personal API tokens: made, shown once, recognised by their digest, revoked."""

import hashlib
from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from featureviz.annotate.models import ApiToken
from featureviz.annotate.texts import AnnotateError
from featureviz.catalog.models import new_token

_MOST = 50  # standing tokens of a person
_MINUTE = timedelta(minutes=1)


def create(user: User, name: str) -> str:
    """The token of a new row; nobody can read it again. Raises: AnnotateError."""
    name = " ".join(name.replace("\0", "").split())[:100]
    if not name:
        raise AnnotateError("Say what the token is for.")
    if standing(user).count() >= _MOST:
        raise AnnotateError(f"You have {_MOST} tokens. Revoke one that you no longer use.")
    token = f"fv_{new_token()}"
    ApiToken.objects.create(user=user, name=name, digest=_digest(token))
    return token


def found(token: str) -> ApiToken | None:
    """The token's row; none when it was revoked, or its person may not sign in."""
    rows = ApiToken.objects.filter(revoked_at=None, user__is_active=True).select_related("user")
    row = rows.filter(digest=_digest(token)).first()
    now = timezone.now()
    if row and (row.used_at is None or now - row.used_at > _MINUTE):
        ApiToken.objects.filter(pk=row.pk).update(used_at=now)
    return row


def standing(user: User) -> "QuerySet[ApiToken]":
    """Those of a person that were not revoked."""
    return ApiToken.objects.filter(user=user, revoked_at=None)


def revoke(user: User, pk: int) -> None:
    """Let a token of theirs open nothing any more."""
    standing(user).filter(pk=pk).update(revoked_at=timezone.now())


def _digest(token: str) -> str:
    """A plain digest: a token of 256 random bits is not found by guessing."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
