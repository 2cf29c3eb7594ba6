"""Saying something on a latent; and what others said to one."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from featureviz.annotate import comments
from featureviz.annotate.models import Comment, CommentQuerySet, Notification
from featureviz.annotate.roles import may
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.explanation_pages import back, latent_or_404, saved
from featureviz.browse.refusals import person, refused
from featureviz.catalog.models import Latent
from featureviz.catalog.permissions import Action

_LATEST = 100


@require_POST
def write(request: HttpRequest, **address: str) -> HttpResponse:
    """Begin a thread, or answer in one."""
    latent = latent_or_404(**address)
    if not may(Action.COMMENT, latent):
        return refused(request, "Your role here does not write comments.")
    try:
        written = _written(request, latent)
    except AnnotateError as error:
        messages.error(request, str(error))
        return back(request, latent, "comments")
    return saved(request, back(request, latent, f"comment-{written.pk}"))


@require_POST
def act(request: HttpRequest, pk: int, act: str, **address: str) -> HttpResponse:
    """Resolve, reopen, withdraw or take back."""
    latent = latent_or_404(**address)
    comment = get_object_or_404(_comments(latent), pk=pk)
    if act not in _ACTS:
        raise Http404
    action, do = _ACTS[act]
    comment.dictionary = latent.run.dictionary
    if not may(action, comment):
        return refused(request, "Your role here does not allow this.")
    do(comment, person(request))
    return back(request, latent, f"comment-{pk}")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: HttpRequest) -> HttpResponse:
    """What others said to somebody; POST marks it read."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.path)
    told = Notification.objects.filter(user=request.user)
    if request.method == "POST":
        told.filter(read_at=None).update(read_at=timezone.now())
        return redirect("notifications")
    readable = told.filter(comment__in=Comment.objects.readable(person(request)))
    rows = readable.select_related("comment__author", "comment__dictionary__model")
    return render(request, "people/notifications.html", {"rows": rows[:_LATEST]})


@require_POST
def follow(request: HttpRequest, pk: int) -> HttpResponse:
    """Read one notification, and go where it leads."""
    told = get_object_or_404(Notification, pk=pk, user=person(request))
    Notification.objects.filter(pk=told.pk).update(read_at=timezone.now())
    return HttpResponseRedirect(told.comment.get_absolute_url())


def _comments(latent: Latent) -> CommentQuerySet:
    return Comment.objects.of(latent.run.dictionary, latent.index)


def _written(request: HttpRequest, latent: Latent) -> Comment:
    asked, author = request.POST, person(request)
    if asked.get("thread"):
        begun = _comments(latent).standing().filter(thread=None)
        number = asked["thread"] if asked["thread"].isdecimal() else "0"
        thread = get_object_or_404(begun, pk=int(number[:9]))
        return comments.answer(thread, asked.get("text", ""), author)
    example, _, token = asked.get("place", "").partition(":")
    place = comments.Place(
        latent.run.dictionary,
        latent.index,
        example,
        int(token[:9]) if token.isascii() and token.isdigit() else None,
    )
    return comments.write(place, asked.get("text", ""), author)


_ACTS: dict[str, tuple[Action, Callable[[Comment, User], None]]] = {
    "resolve": (Action.RESOLVE, comments.resolve),
    "reopen": (Action.RESOLVE, lambda comment, _: comments.reopen(comment)),
    "withdraw": (Action.WITHDRAW, lambda comment, _: comments.withdraw(comment)),
    "take-back": (Action.WITHDRAW, lambda comment, _: comments.take_back(comment)),
}
