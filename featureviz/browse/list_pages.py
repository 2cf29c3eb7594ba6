"""The pages of lists, tags and stars."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from featureviz.annotate import lists
from featureviz.annotate.models import LatentList, ListEntry, Star, Tag
from featureviz.annotate.roles import may
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.explanation_pages import back, latent_or_404
from featureviz.browse.lists import as_csv, as_json, lines, writable_workspaces
from featureviz.browse.refusals import person, refused
from featureviz.catalog.models import Dictionary, Latent, Run, Workspace
from featureviz.catalog.permissions import Action


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def every(request: HttpRequest) -> HttpResponse:
    """The lists and stars a person sees; a form for a new list."""
    if request.method == "POST":
        return _create(request)
    user = request.user
    stars = Star.objects.filter(user=user.pk, dictionary__in=_dictionaries())
    tags = Tag.objects.filter(removed_at=None, dictionary__in=_dictionaries())
    context = {
        "lists": LatentList.objects.readable(user).select_related("owner", "workspace"),
        "stars": stars.select_related("dictionary__model"),
        "tags": tags.order_by("name").values_list("name", flat=True).distinct(),
        "workspaces": list(writable_workspaces()) if user.is_authenticated else [],
    }
    return render(request, "people/lists.html", context)


@never_cache
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """A list."""
    found = _or_404(request, pk)
    context = {"list": found, "lines": lines(found), "may_edit": may(Action.EDIT, found)}
    return render(request, "people/list.html", context)


@never_cache
@require_safe
def data(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """A list as CSV or JSON."""
    found = _or_404(request, pk)
    if form == "json":
        return JsonResponse(as_json(found, lines(found)), json_dumps_params={"ensure_ascii": False})
    if form != "csv":
        raise Http404
    reply = HttpResponse(as_csv(lines(found)), content_type="text/csv; charset=utf-8")
    reply.headers["Content-Disposition"] = f'attachment; filename="list-{found.pk}.csv"'
    return reply


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """One change of a list."""
    found = _or_404(request, pk)
    if not may(Action.EDIT, found):
        return refused(request, "Your role here does not change this list.")
    act = _CHANGES.get(request.POST.get("do", ""))
    entry = found.entries.filter(pk=_number(request.POST, "entry")).first()
    if act is None or entry is None:
        raise Http404
    try:
        act(entry, request.POST)
    except AnnotateError as error:
        messages.error(request, str(error))
    return redirect(found)


@never_cache
@require_safe
def tagged(request: HttpRequest, name: str) -> HttpResponse:
    """The latents with a tag."""
    found = Tag.objects.filter(removed_at=None, name=name, dictionary__in=_dictionaries())
    rows = found.select_related("dictionary__model", "author")
    if not rows:
        raise Http404
    return render(request, "people/tagged.html", {"name": name, "rows": rows[:1000]})


@require_POST
def mark(request: HttpRequest, act: str, **address: str) -> HttpResponse:
    """Tag a latent, star it, put it into a list."""
    latent = latent_or_404(**address)
    if act not in _MARKS:
        raise Http404
    needed, do = _MARKS[act]
    if not may(needed, latent) or not request.user.is_authenticated:
        return refused(request, "Your role here does not allow this.")
    try:
        do(latent, request.POST, person(request))
    except AnnotateError as error:
        messages.error(request, str(error))
    return back(request, latent, "marks")


def _create(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect_to_login(request.path)
    slug = request.POST.get("workspace", "")
    workspace: Workspace | None = None
    if slug:
        workspace = next((each for each in writable_workspaces() if each.slug == slug), None)
        if workspace is None:
            raise Http404
    try:
        return redirect(lists.create(request.POST.get("name", ""), person(request), workspace))
    except AnnotateError as error:
        messages.error(request, str(error))
        return redirect("lists")


def _or_404(request: HttpRequest, pk: int) -> LatentList:
    readable = LatentList.objects.readable(request.user).select_related("owner", "workspace")
    return get_object_or_404(readable, pk=pk)


def _dictionaries() -> QuerySet[Dictionary]:
    return Dictionary.objects.filter(pk__in=Run.objects.readable().values("dictionary"))


def _number(asked: QueryDict, name: str) -> int:
    typed = asked.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def _add(latent: Latent, asked: QueryDict, by: User) -> None:
    to = LatentList.objects.readable(by).filter(pk=_number(asked, "list")).first()
    if to is None or not may(Action.EDIT, to):
        raise Http404
    lists.add(to, latent.run.dictionary, latent.index, by)


def _tag(latent: Latent, asked: QueryDict, by: User) -> None:
    lists.tag(latent.run.dictionary, latent.index, asked.get("tag", ""), by)


def _untag(latent: Latent, asked: QueryDict, by: User) -> None:
    lists.untag(latent.run.dictionary, latent.index, asked.get("tag", ""), by)


def _star(latent: Latent, asked: QueryDict, by: User) -> None:
    lists.star(latent.run.dictionary, latent.index, by, is_on=asked.get("star") == "on")


_MARKS: dict[str, tuple[Action, Callable[[Latent, QueryDict, User], None]]] = {
    "tag": (Action.TAG, _tag),
    "untag": (Action.TAG, _untag),
    "star": (Action.READ, _star),
    "list": (Action.READ, _add),
}
_CHANGES: dict[str, Callable[[ListEntry, QueryDict], None]] = {
    "note": lambda entry, asked: lists.note(entry, asked.get("note", "")),
    "move": lambda entry, asked: lists.move(entry, _number(asked, "place")),
    "remove": lambda entry, asked: lists.remove(entry),
}
