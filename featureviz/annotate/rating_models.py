"""Rating sessions: which latents, in which order, by whom; and what each rater answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from featureviz.annotate.rubric import (
    LONGEST,
    MOST_CONFIDENCE,
    MOST_GAP,
    MOST_LOGITS,
    MOST_SPECIFICITY,
    Answers,
)
from featureviz.catalog.models import Dictionary, Run, Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class RatingSessionQuerySet(models.QuerySet["RatingSession"]):
    """Rules about sessions."""

    def readable(self) -> Self:
        """Those of workspaces the person who asks now may read."""
        return self.filter(workspace__in=Workspace.objects.reachable())


class RatingSession(models.Model):
    """Latents of several dictionaries, rated blind by several people in one shuffled order.

    Or one latent that a person rates from its page, knowing what it is.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)  # its name in archives
    name = models.CharField(max_length=100)
    is_blind = models.BooleanField(default=True)
    seed = models.PositiveIntegerField()  # decides which latents, and their order
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="rating_sessions")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    raters = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="rating_sessions")
    closed_at = models.DateTimeField(null=True)  # from then on sources are told, nothing is rated
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )  # none: everybody had rated everything

    objects = RatingSessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("rating-session", args=[self.pk])


class RatedLatent(models.Model):
    """A latent of a session, under the number raters know it by."""

    session = models.ForeignKey(RatingSession, models.CASCADE, related_name="latents")
    number = models.PositiveIntegerField()  # from 1, in the shuffled order
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="+")
    index = models.PositiveIntegerField()
    is_negative = models.BooleanField(default=False)  # the end shown, of a signed latent
    run_key = models.CharField(max_length=64)  # what raters see is this run's

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="rated_in_order"),
            models.UniqueConstraint(fields=["session", "dictionary", "index"], name="rated_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dictionary}/{self.index}"

    def get_absolute_url(self) -> str:
        """The latent's page; not for raters, as long as the session is open."""
        names = [self.dictionary.model.name, self.dictionary.name, self.index]
        return f"{reverse('latent', args=names)}{'?end=neg' if self.is_negative else ''}"

    def run(self) -> Run | None:
        """The run raters see, if the person who asks now may read it and it is still there."""
        return Run.objects.readable().filter(key=self.run_key).select_related("corpus").first()


def _up_to(**most: int) -> Q:
    return Q(**{f"{name}__lte": number for name, number in most.items()})


class Rating(models.Model):
    """What one person answered about one latent: a draft, then locked."""

    latent = models.ForeignKey(RatedLatent, models.CASCADE, related_name="ratings")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="ratings")
    hypothesis = models.TextField(blank=True, max_length=LONGEST)  # empty: they found none
    confidence = models.PositiveSmallIntegerField(null=True)
    logits = models.PositiveSmallIntegerField(null=True)
    gap = models.PositiveSmallIntegerField(null=True)
    specificity = models.PositiveSmallIntegerField(null=True)
    tokens = models.JSONField(default=dict)  # points by the name of the group (rubric.GROUPS)
    started_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)  # nothing changes after that

    class Meta:
        ordering = ["latent__number", "rater"]
        constraints = [
            models.UniqueConstraint(fields=["latent", "rater"], name="rating_once"),
            models.CheckConstraint(
                condition=_up_to(
                    confidence=MOST_CONFIDENCE,
                    logits=MOST_LOGITS,
                    gap=MOST_GAP,
                    specificity=MOST_SPECIFICITY,
                ),
                name="rating_in_range",
            ),
            models.CheckConstraint(
                condition=~Q(logits=MOST_LOGITS, gap=1), name="no_gap_where_all_logits_agree"
            ),
            models.CheckConstraint(
                condition=Q(submitted_at=None)
                | Q(
                    confidence__isnull=False,
                    logits__isnull=False,
                    gap__isnull=False,
                    specificity__isnull=False,
                ),
                name="submitted_rating_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rater} on {self.latent}"

    @property
    def answers(self) -> Answers:
        """What was answered so far."""
        return Answers(
            self.hypothesis, self.confidence, self.logits, self.gap, self.specificity, self.tokens
        )


def is_rater(session: RatingSession, user: User) -> bool:
    """Whether somebody was asked to rate it."""
    return session.raters.filter(pk=user.pk).exists()
