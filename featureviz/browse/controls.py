"""Who may stop and start work. The one place that says so, until there are accounts."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

from featureviz.checks import LOOPBACK

# A server in front of ours comes from the loopback address too; these tell it apart.
_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


def may_control(request: HttpRequest) -> bool:
    """Whether this request may cancel and resume runs: from this very machine, or as set."""
    return settings.FEATUREVIZ_OPEN_CONTROLS or _is_from_here(request)


def _is_from_here(request: HttpRequest) -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    name, _ = split_domain_port(request.get_host())
    return name in LOOPBACK and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a socket file has no address
        return False
