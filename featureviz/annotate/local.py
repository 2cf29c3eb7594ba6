"""Whoever sits at this machine, and the one person of an installation without accounts."""

from ipaddress import ip_address

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.request import split_domain_port

from featureviz.checks import LOOPBACK

OWNER = "owner"  # their name; `manage.py changepassword owner` keeps them when accounts are on
# A server in front of ours comes from the loopback address too; these tell it apart.
_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


def local_owner() -> User:
    """The person who is signed in where there are no accounts; may do everything."""
    found, is_new = User.objects.get_or_create(
        username=OWNER, defaults={"is_superuser": True, "is_staff": True}
    )
    if is_new:
        found.set_unusable_password()
        found.save(update_fields=["password"])
    return found


def is_from_here(request: HttpRequest) -> bool:
    """Whether a request comes from this very machine, and not through a server in front."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    name, _ = split_domain_port(request.get_host())
    return name in LOOPBACK and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a socket file has no address
        return False
