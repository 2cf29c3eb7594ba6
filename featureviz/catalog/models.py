"""What exists: models, dictionaries, corpora, runs and their jobs, latents."""

from __future__ import annotations

import math
import secrets
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from featureviz.catalog.permissions import Role
from featureviz.catalog.reading import Reader, reader
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.relations import Relations
from featureviz.dashboards.schema import Dashboard
from featureviz.dashboards.store import read_dashboard, read_relations

_open = lru_cache(maxsize=16)(StoredCorpus)  # a vocabulary takes milliseconds to read
# first segments of addresses that no model may take
RESERVED = (
    "accounts", "api", "compare", "components", "embed", "lists", "questions", "rate",
    "runs", "s", "search", "static", "workspaces",
)  # fmt: skip
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
DEFAULT_WORKSPACE = "public"  # its slug
is_name = RegexValidator(rf"^{NAME_PATTERN}\Z", "Use letters, digits, dots, dashes, underscores.")


def is_model_name(name: str) -> None:
    """Check a model's name, the first segment of its addresses. Raises: ValidationError."""
    is_name(name)
    if name in RESERVED:
        raise ValidationError("Addresses that begin so are this site's own.")


def new_token() -> str:
    """What nobody guesses: 256 random bits, for an address."""
    return secrets.token_urlsafe(32)


class LanguageModel(models.Model):
    """A language model under study."""

    name = models.CharField(max_length=100, unique=True, validators=[is_name])
    source = models.CharField(max_length=500)  # folder or TransformerLens name it was loaded from
    digest = models.CharField(max_length=64)  # of its weights
    architecture = models.CharField(max_length=100)
    n_layers = models.PositiveIntegerField()
    d_model = models.PositiveIntegerField()
    d_vocab = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.name


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Rules about workspaces."""

    def reachable(self, by: Reader | None = None) -> Self:
        """Those somebody may read; the person who asks now, when none is given."""
        by = by or reader()
        if by.sees_all:
            return self
        visible = Q(visibility=Workspace.Visibility.PUBLIC)
        if by.tokens:
            visible |= Q(visibility=Workspace.Visibility.LINK, token__in=by.tokens)
        if by.user_id is not None:
            visible |= Q(pk__in=Membership.objects.filter(user=by.user_id).values("workspace"))
        return self.filter(visible)


class Workspace(models.Model):
    """What belongs to a group of people: dictionaries, and with them runs, models, corpora.

    A model is seen where a dictionary of it is, a corpus where a run over it is.
    """

    class Visibility(models.TextChoices):
        """Who may read what it holds, besides its members."""

        PRIVATE = "private", "Members only"
        LINK = "link", "Whoever has its link"
        PUBLIC = "public", "Everybody"

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    visibility = models.CharField(max_length=7, choices=Visibility, default=Visibility.PRIVATE)
    token = models.CharField(max_length=43, unique=True, default=new_token)  # of its link
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("workspace", args=[self.slug])


class Membership(models.Model):
    """A person's role in a workspace."""

    ROLES = [
        (role.value, role.name.lower())
        for role in (Role.READER, Role.ANNOTATOR, Role.EDITOR, Role.OWNER)
    ]

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=ROLES)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-role", "user__username"]
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="member_once")]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display()} of {self.workspace}"


class Invitation(models.Model):
    """A link that makes whoever follows it a member; it serves until it is revoked or expires."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    token = models.CharField(max_length=43, unique=True, default=new_token)
    role = models.PositiveSmallIntegerField(choices=Membership.ROLES)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    n_used = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Invitation to {self.workspace} as {self.get_role_display()}"


def default_workspace() -> int:
    """The key of the workspace that takes what nobody put elsewhere; public when it is made."""
    return Workspace.objects.get_or_create(
        slug=DEFAULT_WORKSPACE,
        defaults={"name": "Public", "visibility": Workspace.Visibility.PUBLIC},
    )[0].pk


class DictionaryQuerySet(models.QuerySet["Dictionary"]):
    """Rules about dictionaries; the one home of who may read a whole one."""

    def reachable(self, by: Reader | None = None) -> Self:
        """Those somebody may read, whether something of them is published or not."""
        by = by or reader()
        if by.sees_all:
            return self
        granted = [grant.dictionary for grant in by.grants if grant.index is None]
        return self.filter(Q(workspace__in=Workspace.objects.reachable(by)) | Q(pk__in=granted))


class Dictionary(models.Model):
    """A set of latents read at a hook point of a language model."""

    model = models.ForeignKey(LanguageModel, models.CASCADE, related_name="dictionaries")
    name = models.CharField(max_length=100, validators=[is_name])
    source = models.CharField(max_length=500)
    digest = models.CharField(max_length=64)  # of its weights and configuration
    architecture = models.CharField(max_length=40)  # standard, topk, jumprelu, gated, …
    hook = models.CharField(max_length=200)  # blocks.0.mlp.hook_post
    d_in = models.PositiveIntegerField()
    d_sae = models.PositiveIntegerField()
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="dictionaries")

    objects = DictionaryQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="dictionary_name")]

    def __str__(self) -> str:
        return f"{self.model.name}/{self.name}"

    def save(self, *args: Any, **options: Any) -> None:
        """Keep it; where nobody said whose it is, it goes to the default workspace."""
        if self.workspace_id is None:
            self.workspace_id = default_workspace()
        super().save(*args, **options)

    def get_absolute_url(self) -> str:
        """The dictionary's page."""
        return reverse("dictionary", args=[self.model.name, self.name])


class Corpus(models.Model):
    """Tokenised text cut into contexts; its arrays live in the store."""

    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    n_contexts = models.PositiveIntegerField()
    context_size = models.PositiveIntegerField()
    n_tokens = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return self.name

    @property
    def stored(self) -> StoredCorpus:
        """The corpus's arrays."""
        return _open(Path(settings.FEATUREVIZ_STORE) / "corpora" / self.digest)


class RunQuerySet(models.QuerySet["Run"]):
    """Rules about runs; the only home of who may read one."""

    def reachable(self, by: Reader | None = None) -> Self:
        """Runs of dictionaries somebody may read, published or not."""
        by = by or reader()
        return self if by.sees_all else self.filter(dictionary__in=Dictionary.objects.reachable(by))

    def published(self) -> Self:
        """Runs that are done and shown."""
        return self.filter(published_at__isnull=False)

    def readable(self, by: Reader | None = None) -> Self:
        """Runs somebody may see: published ones, of what they may read."""
        return self.published().reachable(by)


class Run(models.Model):
    """One precompute over a model, a dictionary, a corpus and settings."""

    class State(models.TextChoices):
        """Where a run stands."""

        PLANNED = "planned"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    key = models.CharField(max_length=64, unique=True)  # digest of all that decides its bytes
    dictionary = models.ForeignKey(Dictionary, models.CASCADE, related_name="runs")
    corpus = models.ForeignKey(Corpus, models.PROTECT, related_name="runs")
    plan = models.JSONField()  # settings that decide the bytes
    provenance = models.JSONField(default=dict)  # device, versions, durations
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    problem = models.TextField(blank=True)  # what went wrong, in plain words
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)  # the one switch that makes it visible
    latents_written_at = models.DateTimeField(null=True)  # its rows, at publishing or again later

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.dictionary} run {self.key[:8]}"

    @property
    def folder(self) -> Path:
        """Where the run's files live."""
        return Path(settings.FEATUREVIZ_STORE) / "runs" / self.key

    @property
    def ends(self) -> int:
        """Ends of each of its latents; 2: activations are signed, both ends have statistics."""
        return int(self.plan.get("ends", 1))

    @property
    def block_size(self) -> int:
        """Latents in one pack."""
        return int(self.plan["block_size"]) // self.ends

    def dashboard(self, index: int) -> Dashboard:
        """The dashboard of one latent, read from its pack."""
        asked = self.asked_pack(index)
        if asked.exists():
            return read_dashboard(asked, index)
        block = index // self.block_size
        return read_dashboard(self.folder / "blocks" / f"{block:05d}.pack", index)

    def asked_pack(self, index: int) -> Path:
        """Where a latent's dashboard lies once a reader asked for all its effects."""
        return self.folder / "asked" / f"{index:07d}.pack"

    def relations(self, other: Run, index: int) -> Relations:
        """How one latent goes with those of another run, read from its pack."""
        return read_relations(self.relations_pack(other, index), index)

    def relations_pack(self, other: Run, index: int) -> Path:
        """Where they lie."""
        block = index // self.block_size
        return self.folder / "relations" / other.key / f"{block:05d}.pack"


class Job(models.Model):
    """A unit of work of a run; the row, not the broker, is the truth about it."""

    class Kind(models.TextChoices):
        """The stage a job belongs to, in order."""

        SHARD = "shard"  # contexts in, activations and sketch out
        BLOCK = "block"  # latents in, dashboards out
        RELATE = "relate", "Relation"  # latents in, how they go with another run's out

    class State(models.TextChoices):
        """Where a job stands."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    run = models.ForeignKey(Run, models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=6, choices=Kind)
    other = models.ForeignKey(Run, models.CASCADE, null=True, related_name="relations_to")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    size = models.PositiveIntegerField()  # contexts or latents
    done = models.PositiveIntegerField(default=0)  # of them
    worker = models.CharField(max_length=100, blank=True)
    heartbeat = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "kind", "number"], condition=models.Q(other=None), name="job_once"
            ),
            models.UniqueConstraint(
                fields=["run", "other", "number"],
                condition=models.Q(other__isnull=False),
                name="relation_once",
            ),
        ]
        indexes = [models.Index(fields=["state", "heartbeat"])]

    def __str__(self) -> str:
        other = f" to {self.other}" if self.other else ""
        return f"{self.run} {self.kind} {self.number}{other}"

    @property
    def product(self) -> Path:
        """The file the job makes; it appears whole."""
        match self.kind:
            case Job.Kind.SHARD:
                return self.run.folder / "shards" / f"{self.number:05d}.safetensors"
            case Job.Kind.BLOCK:
                return self.run.folder / "blocks" / f"{self.number:05d}.pack"
        key = self.other.key if self.other else ""
        return self.run.folder / "relations" / key / f"{self.number:05d}.pack"


ALIVE = Q(n_active__gt=0) | Q(n_negative__gt=0)


class LatentQuerySet(models.QuerySet["Latent"]):
    """Rules about latents."""

    def readable(self, by: Reader | None = None) -> Self:
        """Latents of runs somebody may see, and those a share link opens one by one."""
        by = by or reader()
        if by.sees_all:  # the same, and a third of the mapper's time
            return self.filter(run__published_at__isnull=False)
        readable = Q(run__in=Run.objects.readable(by))
        for grant in by.grants:
            if grant.index is not None:
                opened = Q(run__dictionary=grant.dictionary, index=grant.index)
                readable |= opened & Q(run__published_at__isnull=False)
        return self.filter(readable)

    def alive(self) -> Self:
        """Latents that fired, at either end."""
        return self.filter(ALIVE)

    def dead(self) -> Self:
        """Latents that never did."""
        return self.filter(~ALIVE)


class Latent(models.Model):
    """One latent of a run, with every statistic people sort and filter by.

    Of a signed latent, these are its positive end's, but for two.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="latents")
    index = models.PositiveIntegerField()
    n_active = models.PositiveBigIntegerField()
    density = models.FloatField()  # share of counted tokens; 0 when dead
    max_activation = models.FloatField()
    mean_activation = models.FloatField()  # over active positions
    top_token = models.CharField(max_length=100, blank=True)  # it fires on most often
    top_share = models.FloatField(default=0)  # of its active positions that are this token
    promoted_token = models.CharField(max_length=100, blank=True)  # largest logit weight
    promoted_weight = models.FloatField(default=0)
    n_negative = models.PositiveBigIntegerField(default=0)  # active positions of the negative end
    min_activation = models.FloatField(default=0)  # the negative end's extreme
    # What a table shows beside (glances.py); null: published before there was such a column.
    n_active_contexts = models.PositiveIntegerField(null=True)
    decoder_norm = models.FloatField(null=True)
    variation = models.FloatField(null=True)  # standard deviation / mean, active positions; dead: -
    shape = models.BinaryField(max_length=32, default=bytes)  # histogram, one byte a bar
    fires_on = models.JSONField(default=list)  # texts of the tokens it fires on most often
    promotes = models.JSONField(default=list)  # texts of its largest logit weights
    top_context = models.PositiveIntegerField(null=True)  # of the corpus: where it is strongest
    top_position = models.PositiveIntegerField(null=True)  # there, of the peak

    objects = LatentQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="latent_once")]
        ordering = ["index"]
        indexes = [
            models.Index(fields=["run", "density"]),
            models.Index(fields=["run", "max_activation"]),
            models.Index(fields=["run", "mean_activation"]),
            models.Index(fields=["run", "min_activation"]),
        ]

    def __str__(self) -> str:
        return f"{self.run.dictionary}/{self.index}"

    def get_absolute_url(self) -> str:
        """The latent's page."""
        dictionary = self.run.dictionary
        return reverse("latent", args=[dictionary.model.name, dictionary.name, self.index])

    @property
    def log_density(self) -> float | None:
        """log10 of the density; none for a dead latent."""
        return math.log10(self.density) if self.density else None


class Question(models.Model):
    """What a reader asked that needs a model: a worker answers, the page waits.

    Whoever asks the same of the same run meets the same row.
    """

    class Kind(models.TextChoices):
        """What is asked."""

        EFFECTS = "effects"  # of one latent, on every example
        TEXT = "text"  # one latent's activations on a text
        LATENTS = "latents"  # the latents most active on a text
        MAP = "map"  # where the latents of the dictionary lie to each other
        WEIGHTS = "weights"  # cosine and logit-weight correlation of two latents
        MEANING = "meaning"  # a text as a vector, of whatever run

    class State(models.TextChoices):
        """Where a question stands."""

        WAITING = "waiting"
        RUNNING = "running"
        ANSWERED = "answered"
        REFUSED = "refused"  # what was asked cannot be; `problem` says why
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)  # addresses cannot be guessed
    run = models.ForeignKey(Run, models.CASCADE, related_name="questions")
    kind = models.CharField(max_length=7, choices=Kind)
    digest = models.CharField(max_length=64)  # of what is asked
    asked = models.JSONField()
    answer = models.JSONField(null=True)  # nothing where the answer is a file of the run
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    problem = models.TextField(blank=True)  # in plain words
    size = models.PositiveIntegerField(default=0)  # of the work, in its own units; 0: not known
    done = models.PositiveIntegerField(default=0)  # of it
    worker = models.CharField(max_length=100, blank=True)
    heartbeat = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "digest"], name="question_once")
        ]
        indexes = [models.Index(fields=["state", "asked_at"])]

    def __str__(self) -> str:
        return f"{self.kind} of {self.run}"

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return self.state in (Question.State.WAITING, Question.State.RUNNING)


class Worker(models.Model):
    """A worker that was there lately; it says so every few seconds."""

    name = models.CharField(max_length=100, unique=True)
    seen_at = models.DateTimeField()
    queues = models.CharField(max_length=40, default="cpu,gpu")  # it serves

    def __str__(self) -> str:
        return self.name
