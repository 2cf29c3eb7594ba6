"""Tags of the pages where people write."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

from featureviz.annotate.accounts import may_sign_up
from featureviz.annotate.local import is_from_here
from featureviz.annotate.models import Comment, Notification

_SHARED = {"compare", "list", "search"}  # pages without a dictionary in their path
register = template.Library()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page."""

    request: HttpRequest

    @property
    def accounts(self) -> bool:
        """Whether there are accounts here."""
        return settings.FEATUREVIZ_ACCOUNTS

    @property
    def is_local(self) -> bool:
        """Whether this is the one owner of an installation without accounts."""
        return not self.accounts and is_from_here(self.request)

    @property
    def user(self) -> User | AnonymousUser:
        """The person."""
        return self.request.user

    @property
    def shareable(self) -> bool:
        """Whether this page is one to make a link to, for whoever is signed in to accounts."""
        at = self.request.resolver_match
        named = at is not None and ("dictionary" in at.kwargs or at.url_name in _SHARED)
        return self.accounts and self.user.is_authenticated and named

    @property
    def n_unread(self) -> int:
        """What others said to the person, and they have not read."""
        told = Notification.objects.filter(user=self.user.pk, read_at=None)
        return told.filter(comment__in=Comment.objects.readable(self.user)).count()

    @property
    def signup(self) -> str:
        """How accounts are opened here."""
        return settings.FEATUREVIZ_SIGNUP

    @property
    def may_sign_up(self) -> bool:
        """Whether the person may open one."""
        return may_sign_up(self.request)


@register.filter
def points(score: float) -> str:
    """A score, its fraction as short as it is: 12, 11.5, 11.25."""
    return f"{score:g}"


@register.simple_tag(takes_context=True)
def visitor(context: dict[str, Any]) -> Visitor:
    """Who looks at this page."""
    return Visitor(context["request"])
