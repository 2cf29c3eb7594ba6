"""Each request reads as its person does, until its last byte is sent."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.signals import request_finished
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from featureviz.annotate.local import is_from_here, local_owner
from featureviz.annotate.shares import opened
from featureviz.catalog.reading import EVERYTHING, Reader, read_as

WORKSPACES = "workspaces"  # in the session: the links of workspaces that were followed


SHARES = "shares"  # in the session: the share links that were followed


def visit(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], Any]:
    """Middleware: say who reads. Without accounts, whoever sits at this machine is its owner."""

    def respond(request: HttpRequest) -> HttpResponse:
        read_as(_with_account(request) if settings.FEATUREVIZ_ACCOUNTS else _without(request))
        return get_response(request)

    respond.process_view = _no_sign_in_without_accounts  # type: ignore[attr-defined]
    return respond


def _no_sign_in_without_accounts(request: HttpRequest, view: Any, *_: object) -> None:
    if not settings.FEATUREVIZ_ACCOUNTS and view.__module__.startswith("allauth."):
        raise Http404


def _without(request: HttpRequest) -> Reader:
    if is_from_here(request):
        request.user = SimpleLazyObject(local_owner)  # type: ignore[assignment]
        return Reader(request.user, sees_all=True)
    request.user = AnonymousUser()
    return Reader(request.user)


def _with_account(request: HttpRequest) -> Reader:
    shared = opened(request.session.get(SHARES, []))
    return Reader(
        request.user,
        sees_all=request.user.is_superuser,
        tokens=tuple(request.session.get(WORKSPACES, ())),
        grants=shared.grants,
        lists=shared.lists,
    )


def _nobody_reads(**_: Any) -> None:
    read_as(EVERYTHING)  # what this thread does between requests is the machine's own


request_finished.connect(_nobody_reads, dispatch_uid="featureviz.annotate.visits")
