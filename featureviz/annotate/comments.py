"""Comments: written, answered, resolved, withdrawn; and who is told of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from featureviz.annotate.markdown import people_in
from featureviz.annotate.models import Comment, LatentLink, Notification
from featureviz.annotate.roles import role_at
from featureviz.annotate.texts import AnnotateError, clean, named_latents
from featureviz.catalog.models import Dictionary
from featureviz.catalog.permissions import Role
from featureviz.catalog.reading import Reader

_PLACE = re.compile(r"[0-9]{1,10}\.[0-9]{1,10}")
_MOST_CALLED = 20  # people told of one comment


@dataclass(frozen=True, slots=True)
class Place:
    """What of a latent's page a comment is on."""

    dictionary: Dictionary
    index: int
    example: str = ""  # `<context>.<position>`; empty: the latent
    token: int | None = None  # a position of that context


@transaction.atomic
def write(place: Place, text: str, author: User, thread: Comment | None = None) -> Comment:
    """Say something, or answer in a thread, which then is open again. Raises: AnnotateError."""
    if place.example and not _PLACE.fullmatch(place.example):
        raise AnnotateError("An example is named by its context and position, like 412.57.")
    comment = Comment.objects.create(
        dictionary=place.dictionary,
        index=place.index,
        place=place.example,
        token=place.token if place.example else None,
        thread=thread,
        author=author,
        text=clean(text),
    )
    LatentLink.objects.bulk_create(
        LatentLink(comment=comment, dictionary=dictionary, index=index)
        for dictionary, index in named_latents(comment.text)
    )
    if thread:
        Comment.objects.filter(pk=thread.pk).update(resolved_at=None, resolved_by=None)
    _tell(comment)
    return comment


def answer(thread: Comment, text: str, author: User) -> Comment:
    """Answer in a thread. Raises: AnnotateError."""
    place = Place(thread.dictionary, thread.index, thread.place, thread.token)
    return write(place, text, author, thread)


def resolve(thread: Comment, by: User) -> None:
    """Say that a thread is settled; its next answer opens it again."""
    Comment.objects.filter(pk=thread.pk).update(resolved_at=timezone.now(), resolved_by=by)


def reopen(thread: Comment) -> None:
    """Say that it is not."""
    Comment.objects.filter(pk=thread.pk).update(resolved_at=None, resolved_by=None)


def withdraw(comment: Comment) -> None:
    """Take it off the page; it is kept."""
    Comment.objects.filter(pk=comment.pk).update(withdrawn_at=timezone.now())


def take_back(comment: Comment) -> None:
    """Undo the withdrawal."""
    Comment.objects.filter(pk=comment.pk).update(withdrawn_at=None)


def _tell(comment: Comment) -> None:
    """Notify whom it calls, and who is in its thread; nobody who may not read it."""
    called = User.objects.filter(username__in=people_in(comment.text), is_active=True)
    told = dict.fromkeys(called[:_MOST_CALLED], Notification.Reason.MENTION)
    for person in _in_thread(comment):
        told.setdefault(person, Notification.Reason.ANSWER)
    told.pop(comment.author, None)
    for person, reason in told.items():
        if _may_read(comment, person):
            Notification.objects.create(user=person, comment=comment, reason=reason)
            transaction.on_commit(partial(_send, comment, person, reason))


def _in_thread(comment: Comment) -> Iterable[User]:
    if comment.thread is None:
        return []
    others = comment.thread.answers.standing().select_related("author")
    return [comment.thread.author, *(each.author for each in others)]


def _may_read(comment: Comment, person: User) -> bool:
    by = Reader(person, sees_all=person.is_superuser)
    return role_at(comment.dictionary, comment.index, by) >= Role.READER


def _send(comment: Comment, person: User, reason: Notification.Reason) -> None:
    """By e-mail too, where there is a server for it; a server that fails stops nothing."""
    if settings.EMAIL_HOST and person.email:
        latent = f"{comment.dictionary}/{comment.index}"
        subject = f"{comment.signature} {reason.label} ({latent})"
        body = f"{comment.text}\n\n{latent}, comment {comment.pk}"
        send_mail(subject, body, None, [person.email], fail_silently=True)
