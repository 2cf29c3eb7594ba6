"""How long a browser may show a page without asking again.

Every visit asks, and is answered in a few bytes while the page is the same. What a browser fetched
ahead, as next and previous latents are, it may show at once for a minute. Pages vary by cookie, and
who writes gets another one: what they fetched before they wrote is asked for anew.
"""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import conditional_page

_AHEAD_SECONDS = 60
_WROTE = "wrote"  # a cookie: another value after each change this browser made
_SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}

P = ParamSpec("P")
_View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def asks_again(view: _View[P]) -> _View[P]:
    """A view whose pages are asked for again, save one fetched ahead a moment ago."""

    @conditional_page
    @wraps(view)
    def fresh(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        reply = view(request, *args, **kwargs)
        seconds = _AHEAD_SECONDS if _is_ahead(request) and reply.status_code == 200 else 0
        patch_cache_control(reply, private=True, max_age=seconds)
        patch_vary_headers(reply, ["Cookie"])
        return reply

    return fresh


def notes_writing(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: after a change, nothing this browser fetched ahead before it is shown."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.method not in _SAFE and not request.path.startswith("/api/"):
            response.set_cookie(
                _WROTE,
                secrets.token_urlsafe(6),
                max_age=_AHEAD_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response

    return respond


def _is_ahead(request: HttpRequest) -> bool:
    """Whether a browser fetches a page nobody asked for yet."""
    purpose = request.headers.get("Sec-Purpose", request.headers.get("X-Moz", ""))
    return purpose.startswith("prefetch")
