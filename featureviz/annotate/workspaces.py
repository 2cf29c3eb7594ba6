"""Workspaces: made, shared, joined by invitation."""

import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from featureviz.annotate.texts import AnnotateError
from featureviz.catalog.models import (
    Dictionary,
    Invitation,
    Membership,
    Workspace,
    new_token,
)
from featureviz.catalog.permissions import Role

INVITATION_DAYS = 14


@transaction.atomic
def create(name: str, owner: User) -> Workspace:
    """A private workspace. Raises: AnnotateError when the name has no letters or digits.

    A few random digits end its address: it must not tell which names are taken.
    """
    words = slugify(name)[:50]
    if not words:
        raise AnnotateError("Give the workspace a name with letters or digits.")
    slug = f"{words}-{secrets.token_hex(4)}"
    workspace = Workspace.objects.create(slug=slug, name=name.strip()[:100])
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    return workspace


def show_to(workspace: Workspace, visibility: str) -> None:
    """Change who may read it besides its members. Raises: AnnotateError."""
    if visibility not in Workspace.Visibility.values:
        raise AnnotateError("Choose one of the three visibilities.")
    Workspace.objects.filter(pk=workspace.pk).update(visibility=visibility)


def renew_link(workspace: Workspace) -> None:
    """Close the link that was given out, and make another."""
    Workspace.objects.filter(pk=workspace.pk).update(token=new_token())


def invite(workspace: Workspace, role: int, by: User) -> Invitation:
    """A link for people to join by. Raises: AnnotateError."""
    if role not in dict(Membership.ROLES):
        raise AnnotateError("Choose one of the roles.")
    expires_at = timezone.now() + timedelta(days=INVITATION_DAYS)
    return Invitation.objects.create(
        workspace=workspace, role=role, invited_by=by, expires_at=expires_at
    )


def valid_invitation(token: str) -> Invitation | None:
    """The invitation with this token; none when it was revoked or is over."""
    valid = Invitation.objects.filter(revoked_at=None, expires_at__gt=timezone.now())
    return valid.select_related("workspace").filter(token=token).first() if token else None


@transaction.atomic
def join(invitation: Invitation, user: User) -> Membership:
    """Make somebody a member; who is one already keeps the greater role."""
    member, is_new = Membership.objects.get_or_create(
        workspace=invitation.workspace, user=user, defaults={"role": invitation.role}
    )
    if member.role < invitation.role:
        member.role = invitation.role
        member.save(update_fields=["role"])
    if is_new:
        Invitation.objects.filter(pk=invitation.pk).update(n_used=F("n_used") + 1)
    return member


def revoke(invitation: Invitation) -> None:
    """Let nobody join by it any more."""
    Invitation.objects.filter(pk=invitation.pk).update(revoked_at=timezone.now())


@transaction.atomic
def set_role(workspace: Workspace, username: str, role: int | None) -> None:
    """Change a member's role; none: they leave. Raises: AnnotateError, for the last owner too."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    member = workspace.memberships.filter(user__username=username).first()
    if member is None:
        raise AnnotateError(f"{username} is no member.")
    owners = workspace.memberships.filter(role=Role.OWNER)
    if member.role == Role.OWNER and role != Role.OWNER and owners.count() == 1:
        raise AnnotateError("A workspace keeps at least one owner. Make somebody else one first.")
    if role is None:
        member.delete()
    elif role in dict(Membership.ROLES):
        member.role = role
        member.save(update_fields=["role"])


def move(dictionary: Dictionary, workspace: Workspace) -> None:
    """Put a dictionary, its runs and what is written about it into another workspace."""
    Dictionary.objects.filter(pk=dictionary.pk).update(workspace=workspace)
