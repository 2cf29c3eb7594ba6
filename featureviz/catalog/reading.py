"""Who is reading. Every query of what may be read asks here, so none can forget to.

A command or a worker reads all; a request reads as its person does, from its start until its last
byte is sent (`annotate/visits.py` sets that).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from featureviz.catalog.permissions import Role

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Grant:
    """What a share link opens: a latent, or a whole dictionary."""

    dictionary: int  # its primary key
    index: int | None  # of the latent; none: all of it
    role: Role


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody, and the links they came by."""

    user: User | AnonymousUser | None = None
    sees_all: bool = False  # whoever runs this machine
    tokens: tuple[str, ...] = ()  # of workspaces that are open by link
    grants: tuple[Grant, ...] = ()
    lists: tuple[int, ...] = ()  # that share links open
    roles: dict[int, Role] = field(default_factory=dict, compare=False)  # asked for, by workspace

    @property
    def user_id(self) -> int | None:
        """The person's primary key; none when nobody is signed in."""
        return self.user.pk if self.user is not None else None

    def granted(self, dictionary: int, index: int | None) -> Role:
        """The role share links give at a latent, or for a whole dictionary."""
        roles = [
            grant.role
            for grant in self.grants
            if grant.dictionary == dictionary and grant.index in (None, index)
        ]
        return max(roles, default=Role.NOBODY)


EVERYTHING = Reader(sees_all=True)
_reader: ContextVar[Reader] = ContextVar("reader", default=EVERYTHING)


def reader() -> Reader:
    """Who reads now."""
    return _reader.get()


def read_as(someone: Reader) -> None:
    """From now on, in this thread, all is read as somebody does."""
    _reader.set(someone)


@contextmanager
def reading_as(someone: Reader) -> Iterator[None]:
    """All inside is read as somebody does."""
    token = _reader.set(someone)
    try:
        yield
    finally:
        _reader.reset(token)


def reader_for(user: User | AnonymousUser | None) -> Reader:
    """A person as a reader, with their links where it is they who read now."""
    now = reader()
    if user is None or now.sees_all or (now.user is not None and now.user_id == user.pk):
        return now
    return Reader(user, sees_all=bool(user.is_authenticated and user.is_superuser))
