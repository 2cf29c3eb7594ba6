"""Share links: making one, following one, closing one."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from featureviz.annotate import shares
from featureviz.annotate.models import ShareLink
from featureviz.annotate.roles import may
from featureviz.annotate.shares import NothingThereError, Target, Terms
from featureviz.annotate.texts import AnnotateError
from featureviz.annotate.visits import SHARES
from featureviz.browse.refusals import person, refused
from featureviz.catalog.permissions import Action
from featureviz.catalog.reading import reader

_MOST_FOLLOWED = 50  # links a browser is remembered by


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def every(request: HttpRequest) -> HttpResponse:
    """A person's links, and a form for one to the page they came from."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if request.method == "POST":
        return _create(request)
    links = ShareLink.objects.filter(created_by=person(request))
    context = {"address": _asked(request), "links": links, "scopes": ShareLink.Scope.choices}
    return render(request, "people/shares.html", context)


@never_cache
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """A link: how it reads, how often it was opened."""
    link = _own_or_404(pk)
    url = request.build_absolute_uri(reverse("share", args=[link.token]))
    return render(request, "people/share.html", {"link": link, "url": url})


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a link."""
    link = _own_or_404(pk)
    if not may(Action.WITHDRAW, link):
        return refused(request, "Only who made a link, or an owner, closes it.")
    shares.revoke(link)
    return redirect(link)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def follow(request: HttpRequest, token: str) -> HttpResponse:
    """Open what a link leads to."""
    link = shares.found(token)
    if link is None:
        raise Http404
    try:
        is_open = shares.opens(link, request.POST.get("password", ""))
    except AnnotateError as error:
        return render(request, "people/share_password.html", {"wrong": error}, status=429)
    if not is_open:
        wrong = "This is not the password." if request.method == "POST" else ""
        status = 403 if wrong else 200
        return render(request, "people/share_password.html", {"wrong": wrong}, status=status)
    shares.count(link)
    followed = [*request.session.get(SHARES, ()), token]
    request.session[SHARES] = list(dict.fromkeys(followed))[-_MOST_FOLLOWED:]
    return HttpResponseRedirect(link.address)


def _create(request: HttpRequest) -> HttpResponse:
    asked, address = request.POST, request.POST.get("address", "")
    days = asked.get("days", "").strip()
    terms = Terms(
        asked.get("scope", ""),
        int(days[:9]) if days.isascii() and days.isdigit() else None,
        asked.get("password", ""),
    )
    try:
        targets: list[Target] = shares.targets_of(address)
        if not all(shares.may_share(each, reader()) for each in targets):
            return refused(request, "Your role here does not share.")
        return redirect(shares.create(address, targets, terms, person(request)))
    except NothingThereError as error:
        raise Http404 from error
    except AnnotateError as error:
        messages.error(request, str(error))
        return redirect("shares")


def _asked(request: HttpRequest) -> str:
    """The page to share: the one left, as it was drawn last, or the one the address names."""
    asked = request.GET.get("address", "")
    left: Any = urlsplit(request.headers.get("Referer", ""))
    if left.path and left.path == urlsplit(asked).path:
        return f"{left.path}?{left.query}" if left.query else left.path
    return asked


def _own_or_404(pk: int) -> ShareLink:
    link = get_object_or_404(ShareLink, pk=pk)
    if not may(Action.READ, link):
        raise Http404
    return link
