"""How long a browser may show a page without asking again.

Every visit asks, and is answered in a few bytes while the page is the same. What a browser fetched
ahead, as next and previous latents are, it may show at once for a minute: but only to a reader of
whom nothing is known save the theme, who cannot have written anything in the meantime.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import conditional_page

_AHEAD_SECONDS = 60
_HARMLESS = {"theme"}  # cookies that change nothing but how a page looks

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


def _is_ahead(request: HttpRequest) -> bool:
    """Whether a browser fetches a page nobody asked for yet, for a reader who only reads."""
    purpose = request.headers.get("Sec-Purpose", request.headers.get("X-Moz", ""))
    return purpose.startswith("prefetch") and set(request.COOKIES) <= _HARMLESS
