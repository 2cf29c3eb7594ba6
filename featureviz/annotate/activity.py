"""What people did lately, as far as a reader may see it; the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from featureviz.annotate.models import (
    Comment,
    Explanation,
    ExplanationVersion,
    LatentList,
    ListEntry,
    Tag,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Reader = User | AnonymousUser

MOST = 50
_LONGEST = 160  # characters of a text


@dataclass(frozen=True, slots=True)
class Event:
    """One thing somebody did on a latent."""

    at: datetime
    who: str
    did: str  # explained, edited, commented, tagged, listed
    latent: str  # its address in words
    address: str  # where it stands
    text: str


def latest(
    user: Reader, before: datetime | None = None, by: User | None = None, most: int = MOST
) -> list[Event]:
    """What was done before a moment, by one person or by all, the newest first.

    What was withdrawn or taken off since is left out, and what the reader may not see.
    """
    found = [
        event
        for rows, event_of in (
            (_versions(user), _of_version),
            (Comment.objects.readable(user), _of_comment),
            (Tag.objects.readable(user), _of_tag),
            (_entries(user), _of_entry),
        )
        for event in map(event_of, _some(rows, before, by, most))
    ]
    return sorted(found, key=lambda event: (event.at, event.address), reverse=True)[:most]


def _versions(user: Reader) -> QuerySet[Any]:
    readable = Explanation.objects.readable(user)
    rows = ExplanationVersion.objects.filter(explanation__in=readable)
    return rows.select_related("explanation__dictionary__model")


def _entries(user: Reader) -> QuerySet[Any]:
    lists = LatentList.objects.readable(user)
    return ListEntry.objects.readable(user).filter(list__in=lists).select_related("list")


def _some(
    rows: QuerySet[Any], before: datetime | None, by: User | None, most: int
) -> Iterator[Any]:
    person, moment = (
        ("added_by", "added_at") if rows.model is ListEntry else ("author", "created_at")
    )
    if before is not None:
        rows = rows.filter(**{f"{moment}__lt": before})
    if by is not None:
        rows = rows.filter(**{person: by})
    about = [] if rows.model is ExplanationVersion else ["dictionary__model"]
    yield from rows.select_related(person, *about).order_by(f"-{moment}", "-pk")[:most]


def _of_version(version: Any) -> Event:
    explanation = version.explanation
    return Event(
        at=version.created_at,
        who=version.signature,
        did="explained" if version.number == 1 else "edited",
        latent=f"{explanation.dictionary}/{explanation.index}",
        address=explanation.get_absolute_url(),
        text=version.text[:_LONGEST],
    )


def _of_comment(comment: Any) -> Event:
    return Event(
        at=comment.created_at,
        who=comment.author.get_username(),
        did="commented",
        latent=f"{comment.dictionary}/{comment.index}",
        address=comment.get_absolute_url(),
        text=comment.text[:_LONGEST],
    )


def _of_tag(tag: Any) -> Event:
    return Event(
        at=tag.created_at,
        who=tag.author.get_username(),
        did="tagged",
        latent=f"{tag.dictionary}/{tag.index}",
        address=f"/{tag.dictionary}/{tag.index}",
        text=tag.name,
    )


def _of_entry(entry: Any) -> Event:
    return Event(
        at=entry.added_at,
        who=entry.added_by.get_username(),
        did="listed",
        latent=f"{entry.dictionary}/{entry.index}",
        address=entry.list.get_absolute_url(),
        text=entry.list.name,
    )
