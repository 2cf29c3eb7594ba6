"""What the API takes and gives."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from featureviz.annotate.texts import LONGEST

Text = Annotated[str, Field(max_length=LONGEST, description="Markdown")]
Whole = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Problem(Schema):
    """Why there is no other answer."""

    error: str


class ModelOut(Schema):
    """A language model."""

    name: str
    architecture: str
    n_layers: int
    d_model: int
    d_vocab: int
    digest: str
    dictionaries: list[str]


class DictionaryOut(Schema):
    """A dictionary, and the run it shows."""

    address: str
    architecture: str
    hook: str
    d_in: int
    d_sae: int
    digest: str
    run: str
    published_at: datetime
    corpus: str
    n_tokens: int
    n_contexts: int


class LatentRow(Schema):
    """A latent in a table: numbers by the names they are filtered by."""

    address: str
    index: int
    statistics: dict[str, float | None]
    fires_on: list[str]
    promotes: list[str]
    explanation: str | None


class LatentPage(Schema):
    """A page of a table."""

    count: int
    page: int
    n_pages: int
    next: str | None
    latents: list[LatentRow]


class Hit(Schema):
    """A latent that a search found."""

    address: str
    explanation: str
    density: float
    max_activation: float
    fires_on: list[str]
    promotes: list[str]
    found_in: list[str]


class SearchPage(Schema):
    """A page of what a search found."""

    count: int
    page: int
    n_pages: int
    problems: list[str]
    hits: list[Hit]


class ExplanationOut(Schema):
    """An explanation as it stands."""

    id: int
    latent: str
    description: str
    author: str | None
    model: str | None
    is_pinned: bool
    version: int
    created_at: datetime
    edited_at: datetime | None
    agree: int
    disagree: int


class Collision(Schema):
    """Somebody else changed the text; both are here, nothing was overwritten."""

    error: str
    standing: ExplanationOut
    yours: str


class VersionOut(Schema):
    """A text an explanation has had."""

    number: int
    text: str
    author: str | None
    model: str | None
    created_at: datetime


class ExplanationIn(Schema):
    """A new explanation, signed by you."""

    text: Text


class EditIn(Schema):
    """A new text for the one that was read at `version`."""

    text: Text
    version: Whole


class VoteIn(Schema):
    """Whether you agree; null takes the vote back."""

    agrees: bool | None


class CommentIn(Schema):
    """A comment on a latent, on an example (`<context>.<position>`), on a token; or an answer."""

    text: Text
    place: Annotated[str, Field(max_length=24)] = ""
    token: Whole | None = None
    thread: Whole | None = None


class CommentOut(Schema):
    """A comment."""

    id: int
    latent: str
    author: str
    text: str
    place: str
    token: int | None
    thread: int | None
    created_at: datetime
    resolved_at: datetime | None


class ResolvedIn(Schema):
    """Whether a thread is settled."""

    resolved: bool


class TagOut(Schema):
    """A word on a latent."""

    latent: str
    name: str
    author: str
    created_at: datetime


class ListIn(Schema):
    """A new list; of a workspace, whose readers see it, or yours alone."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    workspace: Annotated[str, Field(max_length=60)] | None = None


class ListOut(Schema):
    """A list."""

    id: int
    name: str
    owner: str
    workspace: str | None


class ListedOut(ListOut):
    """A list with its latents, in order."""

    latents: list[dict[str, Any]]


class EntryIn(Schema):
    """A latent for a list: its address, why, and at which place (from 1; the end when left out)."""

    latent: Annotated[str, Field(max_length=211)]
    note: Annotated[str, Field(max_length=LONGEST)] | None = None
    place: Whole | None = None


class PersonOut(Schema):
    """Who you are here."""

    name: str | None
    workspaces: dict[str, str]
