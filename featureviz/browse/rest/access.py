"""Who asks: by a token, or signed in; how often they may; and what is not there for them."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import Http404, HttpRequest
from ninja.errors import HttpError
from ninja.security import HttpBearer
from ninja.utils import check_csrf

from featureviz.annotate import tokens
from featureviz.annotate.roles import may
from featureviz.catalog.addresses import current_run, find_latent
from featureviz.catalog.permissions import Action
from featureviz.catalog.reading import Reader, read_as

_SAFE = ("GET", "HEAD", "OPTIONS")
_WINDOW = 60  # seconds


class TooManyError(HttpError):
    """Asked too often."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, f"Too many requests. Ask again in {seconds} s.")
        self.seconds = seconds


class Access(HttpBearer):
    """A token acts as its person. Without one, whoever is signed in, or reads what is public."""

    def __call__(self, request: HttpRequest) -> Any:
        """Let a request in. Raises: HttpError, Http404."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self.authenticate(request, token.strip())
        else:
            _count(f"address-{_address(request)}")
            if request.method not in _SAFE and check_csrf(request):
                raise HttpError(
                    403, "Send a token (`Authorization: Bearer …`), or the page's CSRF token."
                )
        _must_be_there(request)
        return True

    def authenticate(self, request: HttpRequest, token: str) -> None:
        """Read as a token's person from here on. Raises: HttpError."""
        row = tokens.found(token)
        if row is None:
            _count(f"address-{_address(request)}")
            raise HttpError(401, "This token is unknown or was revoked.")
        _count(f"token-{row.pk}")
        request.user = row.user
        read_as(Reader(row.user, sees_all=row.user.is_superuser))


def writer(request: HttpRequest, action: Action, what: object) -> User:
    """Whoever asks, if they may do this. Raises: HttpError."""
    user = signed_in(request)
    if not may(action, what):
        raise HttpError(403, "Your role here does not allow this.")
    return user


def signed_in(request: HttpRequest) -> User:
    """Whoever asks. Raises: HttpError when nobody says who they are."""
    if not request.user.is_authenticated:
        raise HttpError(401, "Send a token: `Authorization: Bearer …`. Your profile makes them.")
    return request.user


def _must_be_there(request: HttpRequest) -> None:
    """Answer before anything else of a request is looked at, so that nothing else can tell.

    Raises: Http404 where an address names what the reader may not see.
    """
    named = request.resolver_match.kwargs if request.resolver_match else {}
    dictionary = named.get("dictionary", named.get("source"))
    if dictionary is None:
        return
    index = named.get("index")
    if index is None:
        found: object = current_run(named["model"], dictionary)
    else:
        found = find_latent(named["model"], dictionary, int(index))
    if found is None:
        raise Http404


def _count(who: str) -> None:
    """Count a request in this minute, in this web process. Raises: TooManyError."""
    most, now = settings.FEATUREVIZ_API_PER_MINUTE, time.time()
    if not most:
        return
    key = f"api-{who}-{int(now // _WINDOW)}"
    cache.add(key, 0, 2 * _WINDOW)
    if cache.incr(key) > most:
        raise TooManyError(_WINDOW - int(now % _WINDOW))


def _address(request: HttpRequest) -> str:
    """Who called; as the server in front says, where there is one that is known to."""
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
    direct: str = request.META.get("REMOTE_ADDR", "")
    return forwarded if settings.FEATUREVIZ_HTTPS and forwarded else direct
