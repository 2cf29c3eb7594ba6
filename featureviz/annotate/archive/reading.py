"""An archive into this site: what is missing is added, what is here stays as it is."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import msgspec
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import DatabaseError, models, transaction

from featureviz.annotate.archive import records
from featureviz.annotate.local import OWNER, local_owner
from featureviz.annotate.models import (
    Comment,
    Explanation,
    ExplanationVersion,
    ExplanationVote,
    LatentLink,
    LatentList,
    ListEntry,
    ShareLink,
    ShareTarget,
    Star,
    Tag,
)
from featureviz.annotate.rating_models import RatedLatent, Rating, RatingSession
from featureviz.catalog.models import DEFAULT_WORKSPACE, Dictionary, Membership, Workspace

_ROLES = {name: value for value, name in Membership.ROLES}
_LIST = re.compile(r"^/lists/([0-9a-f-]{36})")
_ANSWERS = (
    "hypothesis", "confidence", "logits", "gap", "specificity", "tokens", "submitted_at",
)  # fmt: skip
_LONGEST_LINE = 64 << 20  # bytes


class ArchiveError(ValueError):
    """An archive that cannot be taken in; the message says which line and why."""


class _UnknownError(ArchiveError):
    """A line is about a dictionary that is not here."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it, by kind of line."""

    added: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)  # were here already
    skipped: Counter[str] = field(default_factory=Counter)  # of dictionaries that are not here
    unknown: dict[str, str] = field(default_factory=dict)  # such dictionaries, and why
    differing: list[str] = field(default_factory=list)  # explanations edited on both sites


def import_file(path: Path, *, skip_unknown: bool = False) -> Imported:
    """Take in all of an archive, or nothing. Raises: ArchiveError, OSError."""
    with path.open("rb") as file:
        return import_lines(file, skip_unknown=skip_unknown)


@transaction.atomic
def import_lines(lines: Iterable[bytes], *, skip_unknown: bool = False) -> Imported:
    """Take in the lines of an archive, or none of them. Raises: ArchiveError."""
    reading = _Reading(skip_unknown)
    for number, line in _decoded(lines):
        try:
            with transaction.atomic():
                reading.take(line)
        except _UnknownError:
            reading.result.skipped[_kind(line)] += 1
        except (ArchiveError, DatabaseError) as error:
            raise ArchiveError(f"Line {number}: {error}") from error
    if reading.result.unknown and not skip_unknown:
        said = "; ".join(f"{name} {why}" for name, why in reading.result.unknown.items())
        raise ArchiveError(
            f"The archive is about dictionaries that are not here: {said}. "
            "Precompute them first, or leave out what is about them with --skip-unknown."
        )
    return reading.result


def _decoded(lines: Iterable[bytes]) -> Iterator[tuple[int, records.Line]]:
    decoder = msgspec.json.Decoder(records.AnyLine)
    number = 0
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE:
            raise ArchiveError(f"Line {number} is longer than any archive's.")
        try:
            found = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ArchiveError(f"Line {number}: {error}") from error
        if (number == 1) != isinstance(found, records.ArchiveLine):
            raise ArchiveError(f"Line {number}: the first line, and only it, is of kind archive.")
        yield number, found
    if number == 0:
        raise ArchiveError("The file is empty: an archive has at least its first line.")


@dataclass
class _Reading:
    """One import: what was found here and made, by the archive's names."""

    skip_unknown: bool
    result: Imported = field(default_factory=Imported)
    users: dict[str, User] = field(default_factory=dict)
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    dictionaries: dict[str, Dictionary] = field(default_factory=dict)

    @singledispatchmethod
    def take(self, line: Any) -> None:
        raise ArchiveError(f"nobody knows a line of kind {_kind(line)}")

    @take.register
    def _(self, line: records.ArchiveLine) -> None:
        if line.format != records.FORMAT or line.version != records.VERSION:
            raise ArchiveError(
                f"this is {line.format} version {line.version}; "
                f"{records.FORMAT} version {records.VERSION} can be read here."
            )

    @take.register
    def _(self, line: records.UserLine) -> None:
        found = User.objects.filter(username=line.name).first()
        if found is None:
            made = local_owner() if line.name == OWNER else User(username=line.name)
            made.email, made.is_active, made.date_joined = (
                line.email or "",
                line.is_active,
                line.joined_at,
            )
            made.set_unusable_password()
            made.save()
        self.note(line, is_new=found is None)

    @take.register
    def _(self, line: records.WorkspaceLine) -> None:
        found, is_new = Workspace.objects.get_or_create(
            slug=line.slug, defaults={"name": line.name, "visibility": line.visibility}
        )
        if is_new:
            _date(found, created_at=line.created_at)
        for each in line.members:
            member, joined = Membership.objects.get_or_create(
                workspace=found, user=self.user(each.user), defaults={"role": _ROLES[each.role]}
            )
            if joined:
                _date(member, since=each.since)
        self.note(line, is_new=is_new)

    @take.register
    def _(self, line: records.DictionaryLine) -> None:
        model, _, name = line.address.partition("/")
        rows = Dictionary.objects.select_related("workspace")
        found = rows.filter(model__name=model, name=name).first()
        if found is None:
            self.unknown(line.address, "is not here")
        elif (found.digest, found.d_sae) != (line.digest, line.d_sae):
            self.unknown(line.address, "has other weights here")
        else:
            self.dictionaries[line.address] = found
            self.place(found, line.workspace)
            self.note(line, is_new=False)

    def place(self, dictionary: Dictionary, slug: str) -> None:
        """Let what was private stay so, out of the workspace new dictionaries go to."""
        workspace = self.workspace(slug)
        if dictionary.workspace.slug == DEFAULT_WORKSPACE != slug:
            Dictionary.objects.filter(pk=dictionary.pk).update(workspace=workspace)

    @take.register
    def _(self, line: records.ListLine) -> None:
        defaults = {
            "name": line.name,
            "owner": self.user(line.owner),
            "workspace": self.workspace(line.workspace) if line.workspace else None,
        }
        found, is_new = LatentList.objects.get_or_create(uuid=line.id, defaults=defaults)
        if is_new:
            _date(found, created_at=line.created_at)
        for each in line.entries:
            self.enter(found, each)
        self.note(line, is_new=is_new)

    def enter(self, into: LatentList, each: records.ListEntryPart) -> None:
        """Put a latent into a list, unless it is there or not here."""
        try:
            dictionary, index = self.latent(each.latent)
        except _UnknownError:
            self.result.skipped["list entry"] += 1
            return
        defaults = {"rank": each.rank, "note": each.note, "added_by": self.user(each.added_by)}
        entry, is_new = ListEntry.objects.get_or_create(
            list=into, dictionary=dictionary, index=index, defaults=defaults
        )
        if is_new:
            _date(entry, added_at=each.added_at)

    @take.register
    def _(self, line: records.ExplanationLine) -> None:
        dictionary, index = self.latent(line.latent)
        _check_signed(line)
        _check_versions(line.versions)
        found = Explanation.objects.filter(uuid=line.id).first()
        is_new = found is None
        if found is None:
            found = self.explain(line, dictionary, index)
        elif (found.dictionary_id, found.index) != (dictionary.pk, index):
            raise ArchiveError(f"explanation {line.id} is about {found.dictionary}/{found.index}.")
        self.continue_text(found, line)
        for vote in line.votes:
            self.vote(found, vote)
        self.link(line.links, explanation=found)
        self.note(line, is_new=is_new)

    def explain(
        self, line: records.ExplanationLine, dictionary: Dictionary, index: int
    ) -> Explanation:
        """A new explanation; pinned only where none is."""
        pinned = Explanation.objects.filter(dictionary=dictionary, index=index, is_pinned=True)
        made = Explanation.objects.create(
            uuid=line.id,
            dictionary=dictionary,
            index=index,
            text="",
            version=0,
            **self.signature(line),
            is_pinned=line.is_pinned and line.withdrawn_at is None and not pinned.exists(),
            withdrawn_at=line.withdrawn_at,
        )
        _date(made, created_at=line.created_at)
        return made

    def continue_text(self, found: Explanation, line: records.ExplanationLine) -> None:
        """Add the versions that come after those here, if those here are the archive's."""
        here = list(found.versions.values_list("text", flat=True))
        there = [each.text for each in line.versions]
        if here != there[: len(here)] and there != here[: len(there)]:
            self.result.differing.append(line.latent)
            return
        for each in line.versions[len(here) :]:
            kept = ExplanationVersion.objects.create(
                explanation=found, number=each.number, text=each.text, **self.signature(each)
            )
            _date(kept, created_at=each.created_at)
        if len(there) > len(here):
            Explanation.objects.filter(pk=found.pk).update(
                text=there[-1], version=len(there), edited_at=line.edited_at
            )

    def vote(self, found: Explanation, vote: records.Vote) -> None:
        """A vote of somebody who did not vote here."""
        kept, is_new = ExplanationVote.objects.get_or_create(
            explanation=found, user=self.user(vote.user), defaults={"agrees": vote.agrees}
        )
        if is_new:
            _date(kept, voted_at=vote.voted_at)

    @take.register
    def _(self, line: records.CommentLine) -> None:
        dictionary, index = self.latent(line.latent)
        if line.token is not None and not line.place:
            raise ArchiveError("a token is one of an example: `place` is missing.")
        found = Comment.objects.filter(uuid=line.id).first()
        is_new = found is None
        if found is None:
            found = Comment.objects.create(
                uuid=line.id,
                dictionary=dictionary,
                index=index,
                place=line.place,
                token=line.token,
                thread=self.thread(line, dictionary, index),
                author=self.user(line.author),
                text=line.text,
                withdrawn_at=line.withdrawn_at,
                resolved_at=line.resolved_at,
                resolved_by=self.user(line.resolved_by) if line.resolved_by else None,
            )
            _date(found, created_at=line.created_at)
        self.link(line.links, comment=found)
        self.note(line, is_new=is_new)

    def thread(
        self, line: records.CommentLine, dictionary: Dictionary, index: int
    ) -> Comment | None:
        """The first comment of the thread a comment answers in."""
        if line.thread is None:
            return None
        firsts = Comment.objects.filter(dictionary=dictionary, index=index, thread=None)
        found = firsts.filter(uuid=line.thread).first()
        if found is None:
            raise ArchiveError(f"thread {line.thread} does not begin before it on {line.latent}.")
        return found

    @take.register
    def _(self, line: records.TagLine) -> None:
        dictionary, index = self.latent(line.latent)
        of_latent = Tag.objects.filter(dictionary=dictionary, index=index, name=line.name)
        same = of_latent.filter(author=self.user(line.author), created_at=line.created_at)
        stands = line.removed_at is None and of_latent.filter(removed_at=None).exists()
        is_new = not stands and not same.exists()
        if is_new:
            made = Tag.objects.create(
                dictionary=dictionary,
                index=index,
                name=line.name,
                author=self.user(line.author),
                removed_at=line.removed_at,
                removed_by=self.user(line.removed_by) if line.removed_by else None,
            )
            _date(made, created_at=line.created_at)
        self.note(line, is_new=is_new)

    @take.register
    def _(self, line: records.StarLine) -> None:
        dictionary, index = self.latent(line.latent)
        star, is_new = Star.objects.get_or_create(
            user=self.user(line.user), dictionary=dictionary, index=index
        )
        if is_new:
            _date(star, created_at=line.created_at)
        self.note(line, is_new=is_new)

    @take.register
    def _(self, line: records.ShareLine) -> None:
        targets = [self.target(each) for each in line.targets]
        is_new = not ShareLink.objects.filter(uuid=line.id).exists()
        if is_new:
            made = ShareLink.objects.create(
                uuid=line.id,
                address=self.address(line.address),
                scope=line.scope,
                password=make_password(None) if line.has_password else "",  # opens to none
                created_by=self.user(line.created_by),
                expires_at=line.expires_at,
                revoked_at=line.revoked_at,
                n_opened=line.n_opened,
            )
            _date(made, created_at=line.created_at)
            ShareTarget.objects.bulk_create(ShareTarget(link=made, **each) for each in targets)
        self.note(line, is_new=is_new)

    @take.register
    def _(self, line: records.SessionLine) -> None:
        latents = [(each, *self.latent(each.latent)) for each in line.latents]
        found = RatingSession.objects.filter(uuid=line.id).first()
        is_new = found is None
        if found is None:
            found = self.session(line)
        for part, dictionary, index in latents:
            self.rate(found, part, dictionary, index)
        self.note(line, is_new=is_new)

    def session(self, line: records.SessionLine) -> RatingSession:
        made = RatingSession.objects.create(
            uuid=line.id,
            name=line.name,
            is_blind=line.is_blind,
            seed=line.seed,
            workspace=self.workspace(line.workspace),
            created_by=self.user(line.created_by),
            closed_at=line.closed_at,
            closed_by=self.user(line.closed_by) if line.closed_by else None,
        )
        _date(made, created_at=line.created_at)
        made.raters.set([self.user(name) for name in line.raters])
        return made

    def rate(
        self,
        session: RatingSession,
        part: records.RatedLatentPart,
        dictionary: Dictionary,
        index: int,
    ) -> None:
        """A latent of a session with the ratings that are missing here; no rating is changed."""
        defaults = {"run_key": part.run, "is_negative": part.is_negative}
        latent, _ = RatedLatent.objects.get_or_create(
            session=session,
            number=part.number,
            dictionary=dictionary,
            index=index,
            defaults=defaults,
        )
        for each in part.ratings:
            answers = {name: getattr(each, name) for name in _ANSWERS}
            rating, is_new = Rating.objects.get_or_create(
                latent=latent, rater=self.user(each.rater), defaults=answers
            )
            if is_new:
                _date(rating, started_at=each.started_at)

    def target(self, target: records.Target) -> dict[str, Any]:
        """The fields of a share target."""
        match target:
            case records.Target(latent=str() as latent, dictionary=None, list=None):
                dictionary, index = self.latent(latent)
                return {"dictionary": dictionary, "index": index}
            case records.Target(latent=None, dictionary=str() as address, list=None):
                return {"dictionary": self.dictionary(address)}
            case records.Target(latent=None, dictionary=None) if target.list is not None:
                return {"list": self.latent_list(str(target.list))}
        raise ArchiveError("a target is a latent, a dictionary or a list.")

    def latent_list(self, key: str) -> LatentList:
        found = LatentList.objects.filter(uuid=key).first()
        if found is None:
            raise ArchiveError(f"list {key} is neither here nor on a line before it.")
        return found

    def address(self, written: str) -> str:
        """An address as it is on this site."""
        found = _LIST.match(written)
        return (
            f"/lists/{self.latent_list(found[1]).pk}{written[found.end() :]}" if found else written
        )

    def link(self, latents: list[str], **to: Explanation | Comment) -> None:
        """Let the pages of latents that a text names list it."""
        for each in latents:
            try:
                dictionary, index = self.latent(each)
            except _UnknownError:
                continue
            LatentLink.objects.get_or_create(None, dictionary=dictionary, index=index, **to)

    def signature(self, line: records.ExplanationLine | records.Version) -> dict[str, Any]:
        """Who wrote it."""
        return {
            "author": self.user(line.author) if line.author else None,
            "model_name": line.model or "",
        }

    def user(self, name: str) -> User:
        if name not in self.users:
            found = User.objects.filter(username=name).first()
            if found is None:
                raise ArchiveError(f"nobody is called {name!r}, here or on a line before it.")
            self.users[name] = found
        return self.users[name]

    def workspace(self, slug: str) -> Workspace:
        if slug not in self.workspaces:
            found = Workspace.objects.filter(slug=slug).first()
            if found is None:
                raise ArchiveError(f"no workspace is at {slug!r}, here or on a line before it.")
            self.workspaces[slug] = found
        return self.workspaces[slug]

    def latent(self, address: str) -> tuple[Dictionary, int]:
        name, _, index = address.rpartition("/")
        dictionary = self.dictionary(name)
        if int(index) >= dictionary.d_sae:
            raise ArchiveError(f"{name} ends at latent {dictionary.d_sae - 1}.")
        return dictionary, int(index)

    def dictionary(self, address: str) -> Dictionary:
        if address in self.result.unknown:
            raise _UnknownError(address)
        if address not in self.dictionaries:
            raise ArchiveError(f"no line before it is of kind dictionary with address {address}.")
        return self.dictionaries[address]

    def unknown(self, address: str, why: str) -> None:
        self.result.unknown[address] = why
        raise _UnknownError(address)

    def note(self, line: records.Line, *, is_new: bool) -> None:
        (self.result.added if is_new else self.result.kept)[_kind(line)] += 1


def _check_signed(line: records.ExplanationLine) -> None:
    signed: list[records.ExplanationLine | records.Version] = [line, *line.versions]
    for each in signed:
        if (each.author is None) == (each.model is None):
            raise ArchiveError("a text is signed by an author or by a model, one of them.")


def _check_versions(versions: list[records.Version]) -> None:
    if [each.number for each in versions] != list(range(1, len(versions) + 1)):
        raise ArchiveError("versions are numbered 1, 2, 3, …, in order.")


def _kind(line: records.Line) -> str:
    return str(line.__struct_config__.tag)


def _date(row: models.Model, **moments: datetime) -> None:
    """Give a row its time: making one sets it to now."""
    type(row)._default_manager.filter(pk=row.pk).update(**moments)
