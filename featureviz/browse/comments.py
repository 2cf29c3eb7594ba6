"""The threads on a latent, as its page shows them to somebody."""

from dataclasses import dataclass
from functools import cached_property

from django.utils.safestring import SafeString

from featureviz.annotate.markdown import drawn
from featureviz.annotate.models import Comment
from featureviz.annotate.roles import role_at
from featureviz.annotate.traces import Traces
from featureviz.catalog.models import Latent
from featureviz.catalog.permissions import Action, Kind, Role, allows
from featureviz.catalog.reading import Reader, reader


@dataclass(frozen=True, slots=True)
class ShownComment:
    """A comment, and what its reader may do to it."""

    row: Comment
    role: Role
    is_own: bool

    @property
    def html(self) -> SafeString:
        """Its text."""
        return drawn(self.row.text)

    @property
    def may_resolve(self) -> bool:
        """Whether the reader may settle the thread it begins."""
        return allows(self.role, Action.RESOLVE, Kind.COMMENT, is_own=self.is_own)

    @property
    def may_withdraw(self) -> bool:
        """Whether the reader may take it off the page, or back."""
        return allows(self.role, Action.WITHDRAW, Kind.COMMENT, is_own=self.is_own)


@dataclass(frozen=True, slots=True)
class Thread:
    """A comment and its answers."""

    first: ShownComment
    answers: tuple[ShownComment, ...]

    @property
    def place(self) -> str:
        """What it is on, in words; empty: the latent."""
        row = self.first.row
        if row.token is not None:
            return f"token {row.token} of context {row.place.split('.')[0]}"
        return f"example {row.place}" if row.place else ""

    @property
    def is_shown(self) -> bool:
        """Whether anything of it stands; a first comment that was withdrawn leaves its answers."""
        return self.first.row.withdrawn_at is None or bool(self.answers)


class CommentsPanel:
    """All threads of a latent: those on the place asked for, then the open, then the settled."""

    def __init__(
        self, latent: Latent, traces: Traces, place: str = "", token: int | None = None
    ) -> None:
        self.latent = latent
        self.place = place
        self.token = token
        self._traces = traces
        self._by: Reader = reader()

    @property
    def may_write(self) -> bool:
        """Whether the reader may say something."""
        return self._role > Role.READER and allows(self._role, Action.COMMENT, Kind.LATENT)

    @property
    def wants_sign_in(self) -> bool:
        """Whether a link lets the reader write once they sign in."""
        granted = self._by.granted(self.latent.run.dictionary_id, self.latent.index)
        return granted > Role.READER and not self.may_write

    @cached_property
    def threads(self) -> list[Thread]:
        """Those of which anything stands."""
        rows = self._rows
        threads = [self._thread(row, rows) for row in rows if row.thread_id is None]
        return sorted((each for each in threads if each.is_shown), key=self._rank)

    @property
    def n_standing(self) -> int:
        """Comments that stand."""
        firsts = sum(each.first.row.withdrawn_at is None for each in self.threads)
        return firsts + sum(len(each.answers) for each in self.threads)

    @cached_property
    def withdrawn(self) -> list[ShownComment]:
        """Those the reader could take back."""
        gone = [self._shown(row) for row in self._rows if row.withdrawn_at and self.may_write]
        return [each for each in gone if each.may_withdraw]

    @cached_property
    def _rows(self) -> list[Comment]:
        if not self._traces.comments:
            return []
        found = Comment.objects.of(self.latent.run.dictionary, self.latent.index)
        return list(found.select_related("resolved_by"))

    def _thread(self, first: Comment, rows: list[Comment]) -> Thread:
        answers = [row for row in rows if row.thread_id == first.pk and not row.withdrawn_at]
        return Thread(self._shown(first), tuple(self._shown(row) for row in answers))

    def _shown(self, row: Comment) -> ShownComment:
        return ShownComment(row, self._role, row.author_id == self._by.user_id)

    def _rank(self, thread: Thread) -> tuple[bool, bool]:
        row = thread.first.row
        return row.resolved_at is not None, bool(self.place) and row.place != self.place

    @cached_property
    def _role(self) -> Role:
        role = role_at(self.latent.run.dictionary, self.latent.index, self._by)
        signed_in = self._by.user is not None and self._by.user.is_authenticated
        return role if signed_in else min(role, Role.READER)
