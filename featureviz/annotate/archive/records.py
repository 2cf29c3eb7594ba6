"""The lines of an archive: what people wrote, one object a line, named so that any site knows it.

People are named by their user name, workspaces by the end of their address, dictionaries and
latents by their address, what has no name by a UUID it keeps for life. docs/archive.md tells more.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from featureviz.annotate.texts import LONGEST
from featureviz.catalog.models import NAME_PATTERN

FORMAT = "featureviz-archive"
VERSION = 1

Person = Annotated[str, Meta(pattern=r"^[\w.@+-]{1,150}\Z")]
Slug = Annotated[str, Meta(pattern=r"^[-a-zA-Z0-9_]{1,60}\Z")]
Address = Annotated[str, Meta(pattern=rf"^{NAME_PATTERN}/{NAME_PATTERN}\Z", max_length=201)]
LatentAddress = Annotated[
    str, Meta(pattern=rf"^{NAME_PATTERN}/{NAME_PATTERN}/[0-9]{{1,9}}\Z", max_length=211)
]
Path = Annotated[str, Meta(pattern=r"^/(?![/\\])", max_length=2000)]
Words = Annotated[str, Meta(min_length=1, max_length=LONGEST, pattern=r"^[^\0]*\Z")]
Note = Annotated[str, Meta(max_length=LONGEST, pattern=r"^[^\0]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\0]*\Z")]
ModelName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\0]*\Z")]
TagName = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\0]*\Z")]
Place = Annotated[str, Meta(pattern=r"^([0-9]{1,10}\.[0-9]{1,10})?\Z")]
Moment = Annotated[datetime, Meta(tz=True)]
Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Line(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag=lambda name: name.removesuffix("Line").lower(),
):
    """One line; `kind` says which."""


class Part(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What stands inside a line."""


class ArchiveLine(Line, frozen=True):
    """The first line: which format this is."""

    format: str
    version: int


class UserLine(Line, frozen=True):
    """A person. Passwords are never written."""

    name: Person
    joined_at: Moment
    email: Annotated[str, Meta(max_length=254)] | None = None  # written only when asked for
    is_active: bool = True


class Member(Part, frozen=True):
    """A person's role in a workspace."""

    user: Person
    role: Annotated[str, Meta(pattern=r"^(reader|annotator|editor|owner)\Z")]
    since: Moment


class WorkspaceLine(Line, frozen=True):
    """A workspace and its people, without its links."""

    slug: Slug
    name: Name
    visibility: Annotated[str, Meta(pattern=r"^(private|link|public)\Z")]
    created_at: Moment
    members: list[Member] = []


class DictionaryLine(Line, frozen=True):
    """A dictionary something is written about; its numbers are no part of an archive."""

    address: Address
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]  # of its weights
    d_sae: Number
    workspace: Slug


class ListEntryPart(Part, frozen=True):
    """A latent of a list."""

    latent: LatentAddress
    rank: Count
    added_by: Person
    added_at: Moment
    note: Note = ""


class ListLine(Line, frozen=True):
    """Latents in an order, each with a note."""

    id: UUID
    name: Name
    owner: Person
    created_at: Moment
    workspace: Slug | None = None
    entries: list[ListEntryPart] = []


class Version(Part, frozen=True):
    """A text an explanation has had."""

    number: Number
    text: Words
    created_at: Moment
    author: Person | None = None
    model: ModelName | None = None


class Vote(Part, frozen=True):
    """Whether a person agrees."""

    user: Person
    agrees: bool
    voted_at: Moment


class ExplanationLine(Line, frozen=True):
    """What a person or a model says a latent stands for, with every text it has had."""

    id: UUID
    latent: LatentAddress
    created_at: Moment
    versions: Annotated[list[Version], Meta(min_length=1)]
    author: Person | None = None
    model: ModelName | None = None
    is_pinned: bool = False
    edited_at: Moment | None = None
    withdrawn_at: Moment | None = None
    votes: list[Vote] = []
    links: list[LatentAddress] = []


class CommentLine(Line, frozen=True):
    """What a person says on a latent, an example or a token; a thread's first comes before."""

    id: UUID
    latent: LatentAddress
    author: Person
    text: Words
    created_at: Moment
    place: Place = ""
    token: Count | None = None
    thread: UUID | None = None
    withdrawn_at: Moment | None = None
    resolved_at: Moment | None = None
    resolved_by: Person | None = None
    links: list[LatentAddress] = []


class TagLine(Line, frozen=True):
    """A word on a latent, or one that was."""

    latent: LatentAddress
    name: TagName
    author: Person
    created_at: Moment
    removed_at: Moment | None = None
    removed_by: Person | None = None


class StarLine(Line, frozen=True):
    """A latent a person wants to find again."""

    user: Person
    latent: LatentAddress
    created_at: Moment


class Target(Part, frozen=True):
    """What a share link opens: one of the three."""

    latent: LatentAddress | None = None
    dictionary: Address | None = None
    list: UUID | None = None


class ShareLine(Line, frozen=True):
    """A share link, without what opens it: neither its token nor its password is written."""

    id: UUID
    address: Path
    scope: Annotated[str, Meta(pattern=r"^(read|comment|annotate)\Z")]
    created_by: Person
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    has_password: bool = False
    n_opened: Count = 0
    targets: list[Target] = []


class RatingPart(Part, frozen=True):
    """What a person answered about a latent of a session: a draft until it is submitted."""

    rater: Person
    started_at: Moment
    hypothesis: Note = ""
    confidence: Count | None = None
    logits: Count | None = None
    gap: Count | None = None
    specificity: Count | None = None
    tokens: dict[str, Count] = {}
    submitted_at: Moment | None = None


class RatedLatentPart(Part, frozen=True):
    """A latent of a session."""

    number: Number
    latent: LatentAddress
    run: Annotated[str, Meta(pattern=r"^[0-9a-f]{1,64}\Z")]  # whose examples raters see
    is_negative: bool = False
    ratings: list[RatingPart] = []


class SessionLine(Line, frozen=True):
    """A rating session, its latents in their order, and what was answered."""

    id: UUID
    name: Name
    workspace: Slug
    seed: Count
    created_by: Person
    created_at: Moment
    is_blind: bool = True
    raters: list[Person] = []
    closed_at: Moment | None = None
    closed_by: Person | None = None
    latents: list[RatedLatentPart] = []


AnyLine = (
    ArchiveLine
    | UserLine
    | WorkspaceLine
    | DictionaryLine
    | ListLine
    | ExplanationLine
    | CommentLine
    | TagLine
    | StarLine
    | ShareLine
    | SessionLine
)
PARTS = (Member, ListEntryPart, Version, Vote, Target, RatingPart, RatedLatentPart)
