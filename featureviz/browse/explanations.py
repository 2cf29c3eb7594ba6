"""What people and models say of a latent, as its page shows it to somebody."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.safestring import SafeString

from featureviz.annotate.markdown import drawn, plain
from featureviz.annotate.models import Comment, Explanation, ExplanationVote
from featureviz.annotate.roles import Standing, role_at
from featureviz.annotate.traces import Traces
from featureviz.catalog.models import Latent
from featureviz.catalog.permissions import Action, Kind, Role, allows
from featureviz.catalog.reading import Reader, reader

_TITLE = 160  # characters
_LINKED = 20


@dataclass(frozen=True, slots=True)
class ShownExplanation:
    """An explanation, and what its reader may do to it."""

    row: Any  # Explanation with its votes counted
    standing: Standing
    own_vote: bool | None

    @property
    def html(self) -> SafeString:
        """Its text."""
        return drawn(self.row.text)

    @property
    def may_edit(self) -> bool:
        """Whether the reader may change its text."""
        return self._may(Action.EDIT)

    @property
    def may_pin(self) -> bool:
        """Whether the reader may let it head the page."""
        return self._may(Action.PIN)

    @property
    def may_withdraw(self) -> bool:
        """Whether the reader may take it off the page."""
        return self._may(Action.WITHDRAW)

    @property
    def may_vote(self) -> bool:
        """Whether the reader may say they agree."""
        return self._may(Action.VOTE)

    def _may(self, action: Action) -> bool:
        kind, role, is_own = self.standing
        return allows(role, action, kind, is_own=is_own)


class ExplanationsPanel:
    """All explanations of a latent, the pinned one first."""

    def __init__(self, latent: Latent, traces: Traces) -> None:
        self.latent = latent
        self._traces = traces
        self._by: Reader = reader()
        self.role = role_at(latent.run.dictionary, latent.index, self._by)

    @property
    def may_write(self) -> bool:
        """Whether the reader may add one."""
        return self._is_signed_in and allows(self.role, Action.EXPLAIN, Kind.LATENT)

    @cached_property
    def shown(self) -> list[ShownExplanation]:
        """Those that stand."""
        return [each for each in self._all if each.row.withdrawn_at is None]

    @cached_property
    def withdrawn(self) -> list[ShownExplanation]:
        """Those the reader could take back."""
        return [each for each in self._all if each.row.withdrawn_at and each.may_withdraw]

    @cached_property
    def pinned(self) -> Explanation | None:
        """The one that heads the page."""
        return next((each.row for each in self.shown if each.row.is_pinned), None)

    @cached_property
    def title(self) -> str:
        """Its first paragraph, cut where it is long; empty when none is pinned."""
        words = plain(self.pinned.text) if self.pinned else ""
        return words if len(words) <= _TITLE else f"{words[:_TITLE].rsplit(' ', 1)[0]} …"

    @cached_property
    def linked(self) -> list[Explanation | Comment]:
        """What people wrote elsewhere that names this latent."""
        if not self._traces.links:
            return []
        latent, who = (self.latent.run.dictionary, self.latent.index), self._by.user
        said = Explanation.objects.readable(who).naming(*latent)
        remarks = Comment.objects.readable(who).naming(*latent)
        return [
            *said.select_related("dictionary__model", "author")[:_LINKED],
            *remarks.select_related("dictionary__model", "author")[:_LINKED],
        ]

    @cached_property
    def _all(self) -> list[ShownExplanation]:
        if not self._traces.explanations:
            return []
        rows = list(Explanation.objects.of(self.latent.run.dictionary, self.latent.index).voted())
        votes = self._own_votes(rows)
        return [ShownExplanation(row, self._standing(row), votes.get(row.pk)) for row in rows]

    def _standing(self, row: Explanation) -> Standing:
        role = self.role if self._is_signed_in else min(self.role, Role.READER)
        is_own = row.author_id is not None and row.author_id == self._own_id
        return Standing(Kind.EXPLANATION, role, is_own)

    def _own_votes(self, rows: list[Any]) -> dict[int, bool]:
        if not (self._is_signed_in and any(row.n_agree or row.n_disagree for row in rows)):
            return {}
        votes = ExplanationVote.objects.filter(user=self._own_id, explanation__in=rows)
        return dict(votes.values_list("explanation", "agrees"))

    @cached_property
    def _own_id(self) -> int | None:
        return self._by.user_id

    @cached_property
    def _is_signed_in(self) -> bool:
        return self._by.user is not None and self._by.user.is_authenticated
