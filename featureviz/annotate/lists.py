"""Tags, stars and lists: how people keep latents together."""

import re

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from featureviz.annotate.models import LatentList, ListEntry, Star, Tag
from featureviz.annotate.texts import LONGEST, AnnotateError
from featureviz.catalog.models import Dictionary, Workspace

_TAG = re.compile(r"[\w+-][\w +.-]{0,38}[\w+]|\w")
_MOST = 2000  # latents in a list


def tag(dictionary: Dictionary, index: int, name: str, by: User) -> None:
    """Put a word on a latent; twice is once. Raises: AnnotateError when it is no word."""
    name = " ".join(name.lower().split())
    if not _TAG.fullmatch(name):
        raise AnnotateError("A tag has 1 to 40 letters, digits, blanks, dots or dashes.")
    Tag.objects.get_or_create(
        dictionary=dictionary, index=index, name=name, removed_at=None, defaults={"author": by}
    )


def untag(dictionary: Dictionary, index: int, name: str, by: User) -> None:
    """Take it off; that it was there is kept."""
    there = Tag.objects.filter(dictionary=dictionary, index=index, name=name, removed_at=None)
    there.update(removed_at=timezone.now(), removed_by=by)


def star(dictionary: Dictionary, index: int, by: User, *, is_on: bool) -> None:
    """Star a latent, or no more."""
    if is_on:
        Star.objects.get_or_create(user=by, dictionary=dictionary, index=index)
    else:
        Star.objects.filter(user=by, dictionary=dictionary, index=index).delete()


def create(name: str, owner: User, workspace: Workspace | None = None) -> LatentList:
    """An empty list. Raises: AnnotateError when it has no name."""
    name = " ".join(name.replace("\0", "").split())[:100]
    if not name:
        raise AnnotateError("Give the list a name.")
    return LatentList.objects.create(name=name, owner=owner, workspace=workspace)


@transaction.atomic
def add(to: LatentList, dictionary: Dictionary, index: int, by: User) -> ListEntry:
    """Put a latent at the end; one that is there stays where it is. Raises: AnnotateError."""
    LatentList.objects.select_for_update().get(pk=to.pk)
    if to.entries.count() >= _MOST:
        raise AnnotateError(f"A list holds {_MOST} latents.")
    last = to.entries.aggregate(last=Max("rank"))["last"] or 0
    entry, _ = to.entries.get_or_create(
        dictionary=dictionary, index=index, defaults={"rank": last + 1, "added_by": by}
    )
    return entry


def note(entry: ListEntry, text: str) -> None:
    """Say why it is in the list. Raises: AnnotateError when that is too long."""
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if len(text) > LONGEST:
        raise AnnotateError(f"The note has {len(text)} characters; {LONGEST} are allowed.")
    ListEntry.objects.filter(pk=entry.pk).update(note=text)


def remove(entry: ListEntry) -> None:
    """Take a latent out of its list."""
    entry.delete()


@transaction.atomic
def move(entry: ListEntry, place: int) -> None:
    """Put a latent at a place of its list, from 1; the others keep their order."""
    LatentList.objects.select_for_update().get(pk=entry.list_id)
    order = [each for each in entry.list.entries.all() if each.pk != entry.pk]
    order.insert(max(0, min(place - 1, len(order))), entry)
    for rank, each in enumerate(order, 1):
        each.rank = rank
    ListEntry.objects.bulk_update(order, ["rank"])
