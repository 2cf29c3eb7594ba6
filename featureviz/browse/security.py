"""What a page may load: files of this very site, nothing inline, nothing from elsewhere."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_OURS = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    # signing in through a provider is a form of ours that ends at its site
    " ".join(("form-action 'self'", *settings.FEATUREVIZ_PROVIDER_ORIGINS)),
)


def policy(ancestors: str = "'none'") -> str:
    """The policy of a page, and the sites that may show it in a frame."""
    return "; ".join((*_OURS, f"frame-ancestors {ancestors}"))


POLICY = policy()


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: every response carries the policy."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return respond
