"""Answers to those who may not: sign in first, or a plain refusal."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def person(request: HttpRequest) -> User:
    """Whoever is signed in. Raises: PermissionDenied when nobody is."""
    if not isinstance(request.user, User) or not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def refused(request: HttpRequest, why: str) -> HttpResponse:
    """Say why nothing was changed; who is not signed in may do that first."""
    if settings.FEATUREVIZ_ACCOUNTS and not request.user.is_authenticated:
        return redirect_to_login(urlsplit(request.headers.get("Referer", "")).path or "/")
    return render(request, "people/refused.html", {"why": why}, status=403)
