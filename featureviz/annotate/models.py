"""What people write about latents. Nothing of it is deleted, every change has an author.

A latent is named by its dictionary and index, never by a run: what is said of it outlives runs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from featureviz.annotate import rating_models  # noqa: F401 - Django looks for models here
from featureviz.catalog.models import Dictionary, Run, Workspace, new_token
from featureviz.catalog.reading import reader_for

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Reader = User | AnonymousUser


def _of_readable_latents(user: Reader | None) -> Q:
    """What is said of latents that a person may see."""
    by = reader_for(user)
    readable = Q(dictionary__in=Run.objects.readable(by).values("dictionary"))
    for grant in by.grants:
        if grant.index is not None:
            readable |= Q(dictionary=grant.dictionary, index=grant.index)
    return readable


class ExplanationQuerySet(models.QuerySet["Explanation"]):
    """Rules about explanations."""

    def readable(self, user: Reader | None) -> Self:
        """Those that stand, of latents the person may see."""
        return self.standing().filter(_of_readable_latents(user))

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

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)  # in archives
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


class ExplanationVector(models.Model):
    """What an explanation means, as an embedding model has it; the newest reading only.

    A text that is read anew is a new row: whoever keeps rows up to a key looks for greater ones.
    """

    explanation = models.OneToOneField(Explanation, models.CASCADE, related_name="vector")
    version = models.PositiveIntegerField()  # of the text that was read
    model = models.CharField(max_length=64, db_index=True)  # digest of its files
    vector = models.BinaryField()  # of length 1, float32, little-endian

    def __str__(self) -> str:
        return f"{self.explanation} (version {self.version})"


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


class CommentQuerySet(models.QuerySet["Comment"]):
    """Rules about comments."""

    def readable(self, user: Reader | None) -> Self:
        """Those that stand, of latents the person may see."""
        return self.standing().filter(_of_readable_latents(user))

    def standing(self) -> Self:
        """Those nobody withdrew."""
        return self.filter(withdrawn_at=None)

    def of(self, dictionary: Dictionary, index: int) -> Self:
        """Those on one latent, oldest first."""
        return self.filter(dictionary=dictionary, index=index).select_related("author")

    def naming(self, dictionary: Dictionary, index: int) -> Self:
        """Those whose text names a latent."""
        return self.filter(links__dictionary=dictionary, links__index=index)


class Comment(models.Model):
    """What a person says on a latent, on one of its examples, on a token; or answers to that."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)  # in archives
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="comments")
    index = models.PositiveIntegerField()
    place = models.CharField(max_length=24, blank=True)  # `<context>.<position>` of an example
    token = models.PositiveIntegerField(null=True)  # the position of a token of its context
    thread = models.ForeignKey("self", models.PROTECT, null=True, related_name="answers")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="comments")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)  # of a thread's first
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["dictionary", "index"], name="comment_latent")]
        constraints = [
            models.CheckConstraint(
                condition=Q(token=None) | ~Q(place=""), name="token_in_an_example"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} on {self.dictionary}/{self.index}: {self.text[:60]}"

    def get_absolute_url(self) -> str:
        """Where it stands on the latent's page."""
        names = [self.dictionary.model.name, self.dictionary.name, self.index]
        return f"{reverse('latent', args=names)}{self.query}#comment-{self.pk}"

    @property
    def query(self) -> str:
        """The end of the address that shows the example or token it is on."""
        token = "" if self.token is None else f"&tok={self.token}"
        return f"?ex={self.place}{token}" if self.place else ""

    @property
    def signature(self) -> str:
        """Who says so."""
        return self.author.get_username()


class Notification(models.Model):
    """Somebody was called, or answered."""

    class Reason(models.TextChoices):
        """Why they are told."""

        MENTION = "mention", "mentions you"
        ANSWER = "answer", "answers in a thread of yours"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications")
    comment = models.ForeignKey(Comment, models.CASCADE, related_name="notifications")
    reason = models.CharField(max_length=7, choices=Reason)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["user", "comment"], name="told_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.comment}"


class LatentLink(models.Model):
    """A latent that a text names; its page lists the text."""

    explanation = models.ForeignKey(Explanation, models.CASCADE, null=True, related_name="links")
    comment = models.ForeignKey(Comment, models.CASCADE, null=True, related_name="links")
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="links")
    index = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["explanation", "dictionary", "index"], name="explanation_links_once"
            ),
            models.UniqueConstraint(
                fields=["comment", "dictionary", "index"], name="comment_links_once"
            ),
        ]
        indexes = [models.Index(fields=["dictionary", "index"], name="link_latent")]

    def __str__(self) -> str:
        return f"{self.explanation or self.comment} names {self.dictionary}/{self.index}"


class TagQuerySet(models.QuerySet["Tag"]):
    """Rules about tags."""

    def readable(self, user: Reader | None) -> Self:
        """Those nobody took off, of latents the person may see."""
        return self.standing().filter(_of_readable_latents(user))

    def standing(self) -> Self:
        """Those nobody took off."""
        return self.filter(removed_at=None)


class Tag(models.Model):
    """A word people put on a latent, to find it among others."""

    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="tags")
    index = models.PositiveIntegerField()
    name = models.CharField(max_length=40)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="tags")
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["name", "dictionary", "index"]
        constraints = [
            models.UniqueConstraint(
                fields=["dictionary", "index", "name"],
                condition=Q(removed_at=None),
                name="tag_once",
            )
        ]
        indexes = [models.Index(fields=["name"], name="tag_name")]

    def __str__(self) -> str:
        return f"{self.dictionary}/{self.index}: {self.name}"


class Star(models.Model):
    """A latent a person wants to find again; nobody else sees it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="stars")
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="stars")
    index = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "dictionary", "index"], name="star_once")
        ]

    def __str__(self) -> str:
        return f"{self.dictionary}/{self.index}"


class LatentListQuerySet(models.QuerySet["LatentList"]):
    """Rules about lists."""

    def readable(self, user: Reader | None) -> Self:
        """A person's own, those of their workspaces, those a share link opens."""
        by = reader_for(user)
        if by.sees_all:
            return self
        readable = Q(workspace__in=Workspace.objects.reachable(by)) | Q(pk__in=by.lists)
        return self.filter(readable | Q(owner=by.user_id) if by.user_id else readable)


class LatentList(models.Model):
    """Latents in an order, each with a note."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)  # in archives
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="lists")
    workspace = models.ForeignKey(
        Workspace, models.PROTECT, null=True, related_name="lists"
    )  # whose readers see it; none: its owner alone
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LatentListQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("list", args=[self.pk])


class ListEntryQuerySet(models.QuerySet["ListEntry"]):
    """Rules about what stands in lists."""

    def readable(self, user: Reader | None) -> Self:
        """Latents that the person may see."""
        return self.filter(_of_readable_latents(user))


class ListEntry(models.Model):
    """A latent in a list."""

    list = models.ForeignKey(LatentList, models.CASCADE, related_name="entries")
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, related_name="+")
    index = models.PositiveIntegerField()
    rank = models.PositiveIntegerField()  # from 1; gaps mean nothing
    note = models.TextField(blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    objects = ListEntryQuerySet.as_manager()

    class Meta:
        ordering = ["rank", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["list", "dictionary", "index"], name="listed_once")
        ]

    def __str__(self) -> str:
        return f"{self.dictionary}/{self.index}"

    def get_absolute_url(self) -> str:
        """The latent's page."""
        return reverse(
            "latent", args=[self.dictionary.model.name, self.dictionary.name, self.index]
        )


class ShareLinkQuerySet(models.QuerySet["ShareLink"]):
    """Rules about share links."""

    def open(self) -> Self:
        """Those that still lead somewhere."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at=None)


class ShareLink(models.Model):
    """An address of this site for whoever is given the link, and what they may do there."""

    class Scope(models.TextChoices):
        """What it allows; more than reading only to those who sign in."""

        READ = "read", "read"
        COMMENT = "comment", "read and comment"
        ANNOTATE = "annotate", "read, comment and explain"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)  # in archives
    token = models.CharField(max_length=43, unique=True, default=new_token)
    address = models.CharField(max_length=2000)  # path and query: the state that is shared
    scope = models.CharField(max_length=8, choices=Scope)
    password = models.CharField(max_length=200, blank=True)  # hashed; empty: none
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="share_links"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    n_opened = models.PositiveIntegerField(default=0)

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.address} by {self.created_by}"

    def get_absolute_url(self) -> str:
        """Its page, for whoever made it."""
        return reverse("share-link", args=[self.pk])


class ShareTarget(models.Model):
    """What a share link opens: a latent, a whole dictionary, or a list."""

    link = models.ForeignKey(ShareLink, models.CASCADE, related_name="targets")
    dictionary = models.ForeignKey(Dictionary, models.PROTECT, null=True, related_name="+")
    index = models.PositiveIntegerField(null=True)  # none: the whole dictionary
    list = models.ForeignKey(LatentList, models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        if self.list:
            return str(self.list)
        return str(self.dictionary) if self.index is None else f"{self.dictionary}/{self.index}"


class ApiToken(models.Model):
    """What lets a program act as a person. Only its digest is kept: it is shown once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)  # what it is for
    digest = models.CharField(max_length=64, unique=True)  # SHA-256
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)  # to the minute
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


def pinned_for(dictionary: Dictionary, indices: Iterable[int]) -> dict[int, Explanation]:
    """The pinned explanations of some latents of a dictionary the caller may show, by index."""
    pinned = Explanation.objects.filter(
        dictionary=dictionary, index__in=list(indices), is_pinned=True
    )
    return {each.index: each for each in pinned.select_related("author")}
