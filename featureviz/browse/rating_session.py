"""A rating session as its page shows it, and what a new one may be made of."""

from dataclasses import dataclass
from functools import cached_property

from django.contrib.auth.models import AnonymousUser, User

from featureviz.annotate import sessions
from featureviz.annotate.rating_models import Rating, RatingSession, is_rater
from featureviz.annotate.ratings import numbers_rated
from featureviz.annotate.roles import may
from featureviz.catalog.models import Dictionary, Run, Workspace
from featureviz.catalog.permissions import Action


@dataclass(frozen=True)
class Offer:
    """What one may make a session of in a workspace."""

    workspace: Workspace
    by: User

    @cached_property
    def dictionaries(self) -> list[Dictionary]:
        """Those with something published."""
        published = Run.objects.readable().values("dictionary")
        found = Dictionary.objects.filter(workspace=self.workspace, pk__in=published)
        return list(found.select_related("model").order_by("model__name", "name"))

    @cached_property
    def raters(self) -> list[User]:
        """Who may be asked."""
        return sessions.able_to_rate(self.workspace, self.by)


def offers(by: User) -> list[Offer]:
    """The workspaces somebody may make sessions in, if there is something to rate."""
    able = (each for each in Workspace.objects.reachable() if may(Action.RATE, each))
    return [offer for each in able if (offer := Offer(each, by)).dictionaries]


@dataclass(frozen=True, slots=True)
class Rater:
    """How far somebody is."""

    name: str
    n_rated: int


@dataclass(frozen=True)
class SessionPage:
    """A session, as one person sees it."""

    session: RatingSession
    user: User | AnonymousUser

    @cached_property
    def n_latents(self) -> int:
        """How many there are to rate."""
        return self.session.latents.count()

    @cached_property
    def dictionaries(self) -> list[str]:
        """What the latents were drawn from, by address; not which is from where."""
        found = Dictionary.objects.reachable().filter(
            pk__in=self.session.latents.values("dictionary")
        )
        return sorted(map(str, found.select_related("model")))

    @cached_property
    def raters(self) -> list[Rater]:
        """Everybody who was asked."""
        people = self.session.raters.order_by("username")
        return [
            Rater(each.get_username(), len(numbers_rated(self.session, each))) for each in people
        ]

    @cached_property
    def is_rater(self) -> bool:
        """Whether this person is one of them, and may still rate."""
        if not isinstance(self.user, User):
            return False
        return is_rater(self.session, self.user) and may(Action.RATE, self.session)

    @property
    def may_close(self) -> bool:
        """Whether this person may end the rating."""
        return self.session.closed_at is None and may(Action.MANAGE, self.session)

    @cached_property
    def rated(self) -> set[int]:
        """The numbers this person has submitted."""
        return numbers_rated(self.session, self.user) if isinstance(self.user, User) else set()

    @cached_property
    def drafts(self) -> set[int]:
        """The numbers this person has begun."""
        begun = Rating.objects.filter(
            latent__session=self.session, rater=self.user.pk, submitted_at=None
        )
        return set(begun.values_list("latent__number", flat=True))

    @property
    def numbers(self) -> list[tuple[int, str]]:
        """Every number, and where this person is with it."""
        return [
            (number, "rated" if number in self.rated else "draft" * (number in self.drafts))
            for number in range(1, self.n_latents + 1)
        ]

    @property
    def next_number(self) -> int | None:
        """The first this person has not submitted."""
        left = (number for number, state in self.numbers if state != "rated")
        return next(left, None)
