"""The pages of workspaces: who is in them, who may see them, what they hold."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from featureviz.annotate import workspaces
from featureviz.annotate.accounts import INVITED, may_sign_up
from featureviz.annotate.roles import may, role_in
from featureviz.annotate.texts import AnnotateError
from featureviz.annotate.visits import WORKSPACES
from featureviz.browse.refusals import person, refused
from featureviz.catalog.models import Dictionary, Invitation, Membership, Workspace
from featureviz.catalog.permissions import Action, Role
from featureviz.catalog.reading import reader


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def every(request: HttpRequest) -> HttpResponse:
    """The workspaces a person sees; a form for a new one."""
    if request.method == "POST":
        return _create(request)
    context = {"workspaces": Workspace.objects.reachable().prefetch_related("dictionaries__model")}
    return render(request, "people/workspaces.html", context)


@never_cache
@require_safe
def one(request: HttpRequest, slug: str) -> HttpResponse:
    """A workspace."""
    workspace = _or_404(slug)
    role = role_in(workspace, reader())
    dictionaries = Dictionary.objects.select_related("model", "workspace")
    others = dictionaries.exclude(workspace=workspace)
    context = {
        "workspace": workspace,
        "role": role,
        "is_owner": may(Action.MANAGE, workspace),
        "is_member": role > Role.READER or _is_member(request, workspace),
        "memberships": workspace.memberships.select_related("user"),
        "invitations": workspace.invitations.filter(revoked_at=None),
        "dictionaries": dictionaries.filter(workspace=workspace),
        "movable": [each for each in others if may(Action.MANAGE, each)],
        "roles": Membership.ROLES,
        "visibilities": Workspace.Visibility.choices,
        "link": request.build_absolute_uri(f"/workspaces/open/{workspace.token}"),
        "join": request.build_absolute_uri("/workspaces/join/"),
    }
    return render(request, "people/workspace.html", context)


@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """One change by an owner."""
    workspace = _or_404(slug)
    if not may(Action.MANAGE, workspace):
        return refused(request, "Only an owner of this workspace may change it.")
    act = _CHANGES.get(request.POST.get("do", ""))
    if act is None:
        raise Http404
    try:
        act(workspace, request.POST, person(request))
    except AnnotateError as error:
        messages.error(request, str(error))
    return redirect(workspace)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Follow an invitation: what it is to, and a button that joins."""
    invitation = workspaces.valid_invitation(token)
    if invitation is None:
        raise Http404
    if not request.user.is_authenticated:
        request.session[INVITED] = token
        return redirect_to_login(
            request.path, "/accounts/signup/" if may_sign_up(request) else None
        )
    if request.method == "POST":
        workspaces.join(invitation, request.user)
        return redirect(invitation.workspace)
    return render(request, "people/join.html", {"invitation": invitation})


@never_cache
@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Follow a workspace's link: from now on this browser may read it."""
    visible = Workspace.objects.exclude(visibility=Workspace.Visibility.PRIVATE)
    workspace = get_object_or_404(visible, token=token)
    followed = [*request.session.get(WORKSPACES, ()), token]
    request.session[WORKSPACES] = list(dict.fromkeys(followed))
    return redirect(workspace)


def _create(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect_to_login(request.path)
    try:
        return redirect(workspaces.create(request.POST.get("name", ""), request.user))
    except AnnotateError as error:
        messages.error(request, str(error))
        return redirect("workspaces")


def _or_404(slug: str) -> Workspace:
    return get_object_or_404(Workspace.objects.reachable(), slug=slug)


def _is_member(request: HttpRequest, workspace: Workspace) -> bool:
    return workspace.memberships.filter(user=request.user.pk).exists()


def _show(workspace: Workspace, asked: QueryDict, by: User) -> None:
    workspaces.show_to(workspace, asked.get("visibility", ""))


def _renew(workspace: Workspace, asked: QueryDict, by: User) -> None:
    workspaces.renew_link(workspace)


def _invite(workspace: Workspace, asked: QueryDict, by: User) -> None:
    workspaces.invite(workspace, _number(asked, "role"), by)


def _revoke(workspace: Workspace, asked: QueryDict, by: User) -> None:
    found = Invitation.objects.filter(workspace=workspace, pk=_number(asked, "invitation"))
    for invitation in found:
        workspaces.revoke(invitation)


def _role(workspace: Workspace, asked: QueryDict, by: User) -> None:
    workspaces.set_role(workspace, asked.get("member", ""), _number(asked, "role") or None)


def _move(workspace: Workspace, asked: QueryDict, by: User) -> None:
    dictionary = get_object_or_404(Dictionary.objects.reachable(), pk=_number(asked, "dictionary"))
    if not may(Action.MANAGE, dictionary):  # an owner on both sides
        raise PermissionDenied
    workspaces.move(dictionary, workspace)


def _number(asked: QueryDict, name: str) -> int:
    typed = asked.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


_CHANGES: dict[str, Callable[[Workspace, QueryDict, User], None]] = {
    "show": _show,
    "renew": _renew,
    "invite": _invite,
    "revoke": _revoke,
    "role": _role,
    "move": _move,
}
