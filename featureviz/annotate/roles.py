"""What somebody is to an object, and so what they may do to it; `permissions.TABLE` decides."""

from functools import singledispatch
from typing import NamedTuple

from featureviz.annotate.models import Comment, Explanation, LatentList, ShareLink
from featureviz.annotate.rating_models import RatingSession
from featureviz.catalog.models import Dictionary, Latent, Membership, Run, Workspace
from featureviz.catalog.permissions import Action, Kind, Role, allows
from featureviz.catalog.reading import Reader, reader


class Standing(NamedTuple):
    """What the table is asked."""

    kind: Kind
    role: Role
    is_own: bool = False


def may(action: Action, what: object, by: Reader | None = None) -> bool:
    """Whether somebody may; only reading is for those who are not signed in."""
    by = by or reader()
    if action is not Action.READ and by.user is not None and not by.user.is_authenticated:
        return False
    kind, role, is_own = standing(what, by)
    return allows(role, action, kind, is_own=is_own)


@singledispatch
def standing(what: object, by: Reader) -> Standing:
    """What somebody is to an object. Raises: TypeError when the table does not know such."""
    raise TypeError(f"nobody's role is known for a {type(what).__name__}")


@standing.register
def _(what: Workspace, by: Reader) -> Standing:
    return Standing(Kind.WORKSPACE, role_in(what, by))


@standing.register
def _(what: Dictionary, by: Reader) -> Standing:
    return Standing(Kind.DICTIONARY, role_at(what, None, by))


@standing.register
def _(what: Run, by: Reader) -> Standing:
    return Standing(Kind.RUN, role_at(what.dictionary, None, by))


@standing.register
def _(what: Latent, by: Reader) -> Standing:
    return Standing(Kind.LATENT, role_at(what.run.dictionary, what.index, by))


@standing.register
def _(what: Explanation, by: Reader) -> Standing:
    role = role_at(what.dictionary, what.index, by)
    return Standing(Kind.EXPLANATION, role, _is_own(what.author_id, by))


@standing.register
def _(what: Comment, by: Reader) -> Standing:
    role = role_at(what.dictionary, what.index, by)
    return Standing(Kind.COMMENT, role, _is_own(what.author_id, by))


@standing.register
def _(what: LatentList, by: Reader) -> Standing:
    role = role_in(what.workspace, by) if what.workspace else Role.NOBODY
    if by.sees_all:
        role = Role.OWNER
    elif what.pk in by.lists:
        role = max(role, Role.READER)
    return Standing(Kind.LIST, role, _is_own(what.owner_id, by))


@standing.register
def _(what: ShareLink, by: Reader) -> Standing:
    opened = what.targets.select_related("dictionary__workspace", "list__workspace")
    roles = [
        standing(each.list, by).role
        if each.list
        else role_at(each.dictionary, each.index, by)
        if each.dictionary
        else Role.NOBODY
        for each in opened
    ]
    return Standing(Kind.SHARE, min(roles, default=Role.NOBODY), _is_own(what.created_by_id, by))


@standing.register
def _(what: RatingSession, by: Reader) -> Standing:
    role = role_in(what.workspace, by)
    return Standing(Kind.SESSION, role, _is_own(what.created_by_id, by))


def role_at(dictionary: Dictionary, index: int | None, by: Reader) -> Role:
    """The role in its workspace, or the one a share link gives, whichever is more."""
    return max(role_in(dictionary.workspace, by), by.granted(dictionary.pk, index))


def role_in(workspace: Workspace, by: Reader) -> Role:
    """A member's role; a reader, where the workspace is open to them."""
    if by.sees_all:
        return Role.OWNER
    if workspace.pk not in by.roles:
        by.roles[workspace.pk] = _role_in(workspace, by)
    return by.roles[workspace.pk]


def _role_in(workspace: Workspace, by: Reader) -> Role:
    if by.user_id is not None:
        member = Membership.objects.filter(workspace=workspace, user=by.user_id).first()
        if member:
            return Role(member.role)
    return Role.READER if _is_open(workspace, by) else Role.NOBODY


def _is_open(workspace: Workspace, by: Reader) -> bool:
    if workspace.visibility == Workspace.Visibility.LINK:
        return workspace.token in by.tokens
    return workspace.visibility == Workspace.Visibility.PUBLIC


def _is_own(author: int | None, by: Reader) -> bool:
    return author is not None and author == by.user_id
