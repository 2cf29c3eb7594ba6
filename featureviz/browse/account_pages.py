"""A person's own page, and their API tokens."""

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from featureviz.annotate import tokens as api_tokens
from featureviz.annotate.activity import MOST, latest
from featureviz.annotate.models import Explanation
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.refusals import person
from featureviz.catalog.models import Membership

_LATEST = 50


@never_cache
@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """Who somebody is here, and what they wrote."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(request.path)
    written = Explanation.objects.readable(user).filter(author=user)
    context = {
        "accounts": settings.FEATUREVIZ_ACCOUNTS,
        "tokens": api_tokens.standing(person(request)),
        "memberships": Membership.objects.filter(user=user).select_related("workspace"),
        "explanations": written.select_related("dictionary__model").order_by("-created_at")[
            :_LATEST
        ],
    }
    return render(request, "people/profile.html", context)


@never_cache
@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """What people did lately; with `?by=me`, what this reader did."""
    mine = request.GET.get("by") == "me"
    if mine and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    by = person(request) if mine else None
    found = latest(request.user, _moment(request.GET.get("before", "")), by)
    context = {
        "events": found,
        "mine": mine,
        "earlier": found[-1].at.isoformat() if len(found) == MOST else "",
    }
    return render(request, "people/activity.html", context)


def _moment(text: str) -> datetime | None:
    """A moment of an address; what is none is now."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None


@never_cache
@require_POST
def tokens(request: HttpRequest) -> HttpResponse:
    """A new API token, shown this once."""
    try:
        token = api_tokens.create(person(request), request.POST.get("name", ""))
    except AnnotateError as error:
        messages.error(request, str(error))
        return redirect("profile")
    return render(request, "people/token.html", {"token": token})


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a token open nothing any more."""
    api_tokens.revoke(person(request), pk)
    return redirect("profile")
