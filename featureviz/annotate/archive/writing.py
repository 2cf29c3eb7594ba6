"""Everything people wrote as the lines of an archive; the same site gives the same lines."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.db import connection, transaction

from featureviz.annotate.archive import records
from featureviz.annotate.models import (
    Comment,
    Explanation,
    LatentLink,
    LatentList,
    ListEntry,
    ShareLink,
    ShareTarget,
    Star,
    Tag,
)
from featureviz.annotate.rating_models import RatedLatent, Rating, RatingSession
from featureviz.catalog.models import Dictionary, Membership, Workspace

_BATCH = 500
_ABOUT = (Explanation, Comment, LatentLink, Tag, Star, ListEntry, ShareTarget, RatedLatent)
_LIST = re.compile(r"^/lists/([0-9]+)")


def export(path: Path, *, with_email: bool = False) -> int:
    """Write an archive, whole or not at all; returns its lines."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            for line in lines(with_email=with_email):
                file.write(msgspec.json.encode(line) + b"\n")
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def lines(*, with_email: bool = False) -> Iterator[records.Line]:
    """All lines, of one moment, each after those it names."""
    with _one_moment():
        yield records.ArchiveLine(format=records.FORMAT, version=records.VERSION)
        yield from _users(with_email=with_email)
        yield from _workspaces()
        yield from _Writer.of_this_site().lines()


@contextmanager
def _one_moment() -> Iterator[None]:
    """All inside is read as it is at the first query; others write meanwhile."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield
    else:
        connection.ensure_connection()
        sqlite: Any = connection
        mode, sqlite.transaction_mode = sqlite.transaction_mode, "DEFERRED"
        try:
            with transaction.atomic():
                yield
        finally:
            sqlite.transaction_mode = mode


def _users(*, with_email: bool) -> Iterator[records.UserLine]:
    for user in User.objects.order_by("username"):
        yield records.UserLine(
            name=user.username,
            joined_at=user.date_joined,
            email=user.email or None if with_email else None,
            is_active=user.is_active,
        )


def _workspaces() -> Iterator[records.WorkspaceLine]:
    for each in Workspace.objects.order_by("slug"):
        yield records.WorkspaceLine(
            slug=each.slug,
            name=each.name,
            visibility=each.visibility,
            created_at=each.created_at,
            members=[
                records.Member(
                    user=member.user.username,
                    role=dict(Membership.ROLES)[member.role],
                    since=member.since,
                )
                for member in each.memberships.select_related("user").order_by("user__username")
            ],
        )


@dataclass(frozen=True)
class _Writer:
    """What is written of latents; knows their dictionaries' addresses."""

    addresses: dict[int, str]  # by primary key
    lists: dict[int, str]  # UUIDs, by primary key

    @classmethod
    def of_this_site(cls) -> "_Writer":
        dictionaries = Dictionary.objects.select_related("model")
        return cls(
            {each.pk: str(each) for each in dictionaries},
            {pk: str(key) for pk, key in LatentList.objects.values_list("pk", "uuid")},
        )

    def lines(self) -> Iterator[records.Line]:
        yield from self.dictionaries()
        yield from self.all_lists()
        yield from self.explanations()
        yield from self.comments()
        yield from self.tags()
        yield from self.stars()
        yield from self.shares()
        yield from self.sessions()

    def dictionaries(self) -> Iterator[records.DictionaryLine]:
        named: set[int] = set()
        for model in _ABOUT:
            named |= set(model._default_manager.values_list("dictionary", flat=True).distinct())
        rows = Dictionary.objects.filter(pk__in=named).select_related("model", "workspace")
        for each in sorted(rows, key=str):
            yield records.DictionaryLine(
                address=str(each),
                digest=each.digest,
                d_sae=each.d_sae,
                workspace=each.workspace.slug,
            )

    def all_lists(self) -> Iterator[records.ListLine]:
        rows = LatentList.objects.select_related("owner", "workspace")
        for each in rows.order_by("created_at", "uuid").prefetch_related("entries__added_by"):
            yield records.ListLine(
                id=each.uuid,
                name=each.name,
                owner=each.owner.username,
                created_at=each.created_at,
                workspace=each.workspace.slug if each.workspace else None,
                entries=[
                    records.ListEntryPart(
                        latent=self.latent(entry),
                        rank=entry.rank,
                        added_by=entry.added_by.username,
                        added_at=entry.added_at,
                        note=entry.note,
                    )
                    for entry in sorted(each.entries.all(), key=lambda e: (e.rank, self.latent(e)))
                ],
            )

    def explanations(self) -> Iterator[records.ExplanationLine]:
        rows = Explanation.objects.select_related("author").order_by("created_at", "uuid")
        rows = rows.prefetch_related("versions__author", "votes__user", "links")
        for each in rows.iterator(_BATCH):
            yield records.ExplanationLine(
                id=each.uuid,
                latent=self.latent(each),
                created_at=each.created_at,
                versions=[_version(version) for version in each.versions.all()],
                **_signature(each),
                is_pinned=each.is_pinned,
                edited_at=each.edited_at,
                withdrawn_at=each.withdrawn_at,
                votes=[
                    records.Vote(
                        user=vote.user.username, agrees=vote.agrees, voted_at=vote.voted_at
                    )
                    for vote in sorted(each.votes.all(), key=lambda vote: vote.user.username)
                ],
                links=self.links(each.links.all()),
            )

    def comments(self) -> Iterator[records.CommentLine]:
        rows = Comment.objects.select_related("author", "thread", "resolved_by")
        firsts = rows.filter(thread=None).order_by("created_at", "uuid")
        answers = rows.exclude(thread=None).order_by("created_at", "uuid")
        for found in (firsts, answers):
            for each in found.prefetch_related("links").iterator(_BATCH):
                yield records.CommentLine(
                    id=each.uuid,
                    latent=self.latent(each),
                    author=each.author.username,
                    text=each.text,
                    created_at=each.created_at,
                    place=each.place,
                    token=each.token,
                    thread=each.thread.uuid if each.thread else None,
                    withdrawn_at=each.withdrawn_at,
                    resolved_at=each.resolved_at,
                    resolved_by=each.resolved_by.username if each.resolved_by else None,
                    links=self.links(each.links.all()),
                )

    def tags(self) -> Iterator[records.TagLine]:
        rows = Tag.objects.select_related("author", "removed_by")
        for each in sorted(rows, key=lambda tag: (self.latent(tag), tag.name, tag.created_at)):
            yield records.TagLine(
                latent=self.latent(each),
                name=each.name,
                author=each.author.username,
                created_at=each.created_at,
                removed_at=each.removed_at,
                removed_by=each.removed_by.username if each.removed_by else None,
            )

    def stars(self) -> Iterator[records.StarLine]:
        rows = Star.objects.select_related("user")
        for each in sorted(rows, key=lambda star: (star.user.username, self.latent(star))):
            yield records.StarLine(
                user=each.user.username, latent=self.latent(each), created_at=each.created_at
            )

    def shares(self) -> Iterator[records.ShareLine]:
        rows = ShareLink.objects.select_related("created_by").prefetch_related("targets__list")
        for each in rows.order_by("created_at", "uuid"):
            yield records.ShareLine(
                id=each.uuid,
                address=self.anywhere(each.address),
                scope=each.scope,
                created_by=each.created_by.username,
                created_at=each.created_at,
                expires_at=each.expires_at,
                revoked_at=each.revoked_at,
                has_password=bool(each.password),
                n_opened=each.n_opened,
                targets=[self.target(target) for target in each.targets.all().order_by("pk")],
            )

    def sessions(self) -> Iterator[records.SessionLine]:
        rows = RatingSession.objects.select_related("workspace", "created_by", "closed_by")
        rows = rows.prefetch_related("raters", "latents__ratings__rater")
        for each in rows.order_by("created_at", "uuid"):
            yield records.SessionLine(
                id=each.uuid,
                name=each.name,
                workspace=each.workspace.slug,
                seed=each.seed,
                created_by=each.created_by.username,
                created_at=each.created_at,
                is_blind=each.is_blind,
                raters=sorted(rater.username for rater in each.raters.all()),
                closed_at=each.closed_at,
                closed_by=each.closed_by.username if each.closed_by else None,
                latents=[self.rated(latent) for latent in each.latents.all()],
            )

    def rated(self, latent: RatedLatent) -> records.RatedLatentPart:
        found = [_rating(each) for each in latent.ratings.all()]
        return records.RatedLatentPart(
            number=latent.number,
            latent=self.latent(latent),
            run=latent.run_key,
            is_negative=latent.is_negative,
            ratings=sorted(found, key=lambda rating: rating.rater),
        )

    def target(self, target: ShareTarget) -> records.Target:
        if target.list:
            return records.Target(list=target.list.uuid)
        if target.index is None:
            return records.Target(dictionary=self.addresses.get(target.dictionary_id or 0))
        return records.Target(latent=self.latent(target))

    def anywhere(self, address: str) -> str:
        """An address that holds on other sites too: lists are numbered anew on each."""
        found = _LIST.match(address)
        key = self.lists.get(int(found[1])) if found else None
        return f"/lists/{key}{address[found.end() :]}" if found and key else address

    def latent(self, what: Any) -> str:
        return f"{self.addresses[what.dictionary_id]}/{what.index}"

    def links(self, found: Iterable[LatentLink]) -> list[str]:
        return sorted(self.latent(each) for each in found)


def _version(version: Any) -> records.Version:
    return records.Version(
        number=version.number,
        text=version.text,
        created_at=version.created_at,
        **_signature(version),
    )


def _rating(rating: Rating) -> records.RatingPart:
    return records.RatingPart(
        rater=rating.rater.username,
        started_at=rating.started_at,
        hypothesis=rating.hypothesis,
        confidence=rating.confidence,
        logits=rating.logits,
        gap=rating.gap,
        specificity=rating.specificity,
        tokens=dict(sorted(rating.tokens.items())),  # databases keep an order of their own
        submitted_at=rating.submitted_at,
    )


def _signature(what: Any) -> dict[str, Any]:
    return {
        "author": what.author.username if what.author else None,
        "model": what.model_name or None,
    }
