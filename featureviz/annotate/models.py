"""What people write about latents. Nothing of it is deleted, every change has an author.

A latent is named by its dictionary and index, never by a run: what is said of it outlives runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.urls import reverse

from featureviz.catalog.models import Dictionary, Run
from featureviz.catalog.reading import reader_for

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser


class ExplanationQuerySet(models.QuerySet["Explanation"]):
    """Rules about explanations."""

    def readable(self, user: Person | None) -> Self:
        """Those that stand, of latents the person may see."""
        by = reader_for(user)
        readable = Q(dictionary__in=Run.objects.readable(by).values("dictionary"))
        for grant in by.grants:
            if grant.index is not None:
                readable |= Q(dictionary=grant.dictionary, index=grant.index)
        return self.standing().filter(readable)

    def standing(self) -> Self:
        """Those nobody withdrew."""
        return self.filter(withdrawn_at=None)

    def voted(self) -> Self:
        """With how many people agree, and how many do not."""
        return self.annotate(
            n_agree=Count("votes", filter=Q(votes__agrees=True)),
            n_disagree=Count("votes", filter=Q(votes__agrees=False)),
        )

    def naming(self, dictionary: Dictionary, index: int) -> Self:
        """Those whose text names a latent."""
        return self.filter(links__dictionary=dictionary, links__index=index)

    def of(self, dictionary: Dictionary, index: int) -> Self:
        """Those of one latent: the pinned one first, then the oldest."""
        found = self.filter(dictionary=dictionary, index=index)
        return found.order_by("-is_pinned", "created_at", "pk").select_related("author")


class Explanation(models.Model):
    """What a person or a model says a latent stands for."""

    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="explanations")
    index = models.PositiveIntegerField()  # of the latent
    text = models.TextField()  # Markdown
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="explanations"
    )
    model_name = models.CharField(max_length=200, blank=True)  # it is signed with, if no person
    is_pinned = models.BooleanField(default=False)  # the one that heads the latent's page
    version = models.PositiveIntegerField(default=1)  # one more with each change of the text
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = ExplanationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dictionary", "index"], condition=Q(is_pinned=True), name="pinned_once"
            ),
            models.CheckConstraint(
                condition=Q(author__isnull=False, model_name="")
                | Q(author=None) & ~Q(model_name=""),
                name="explanation_signed_once",
            ),
            models.CheckConstraint(
                condition=Q(is_pinned=False) | Q(withdrawn_at=None), name="withdrawn_not_pinned"
            ),
        ]
        indexes = [models.Index(fields=["dictionary", "index"], name="explanation_latent")]

    def __str__(self) -> str:
        return f"{self.dictionary}/{self.index}: {self.text[:60]}"

    def get_absolute_url(self) -> str:
        """Where it stands on the latent's page."""
        names = [self.dictionary.model.name, self.dictionary.name, self.index]
        return f"{reverse('latent', args=names)}#explanation-{self.pk}"

    @property
    def signature(self) -> str:
        """Who says so."""
        return self.author.get_username() if self.author else self.model_name


class ExplanationVersion(models.Model):
    """A text an explanation has had; the one it has now is the last."""

    explanation = models.ForeignKey(Explanation, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()  # from 1
    text = models.TextField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="explanation_versions"
    )
    model_name = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["explanation", "number"], name="version_once")
        ]

    def __str__(self) -> str:
        return f"{self.explanation} (version {self.number})"

    @property
    def signature(self) -> str:
        """Who wrote it."""
        return self.author.get_username() if self.author else self.model_name


class ExplanationVote(models.Model):
    """Whether a person agrees with an explanation."""

    explanation = models.ForeignKey(Explanation, models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="votes")
    agrees = models.BooleanField()
    voted_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["explanation", "user"], name="vote_once")]

    def __str__(self) -> str:
        return f"{self.user} {'agrees' if self.agrees else 'disagrees'}: {self.explanation}"


class LatentLink(models.Model):
    """A latent that a text names; its page lists the text."""

    explanation = models.ForeignKey(Explanation, models.CASCADE, related_name="links")
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="links")
    index = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["explanation", "dictionary", "index"], name="explanation_links_once"
            )
        ]
        indexes = [models.Index(fields=["dictionary", "index"], name="link_latent")]

    def __str__(self) -> str:
        return f"{self.explanation} names {self.dictionary}/{self.index}"


def pinned_for(dictionary: Dictionary, indices: Iterable[int]) -> dict[int, Explanation]:
    """The pinned explanations of some latents of a dictionary the caller may show, by index."""
    pinned = Explanation.objects.filter(
        dictionary=dictionary, index__in=list(indices), is_pinned=True
    )
    return {each.index: each for each in pinned.select_related("author")}
