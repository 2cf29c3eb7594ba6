"""The life of a run: registered, worked through, published by one switch; cancelled, resumed."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from featureviz.catalog import relations
from featureviz.catalog.claims import ACTIVE, MOST_ATTEMPTS, gone_silent, relations_of
from featureviz.catalog.glances import glance
from featureviz.catalog.models import (
    Corpus,
    Dictionary,
    Job,
    LanguageModel,
    Latent,
    Run,
    is_model_name,
    is_name,
)
from featureviz.dashboards.corpora import CorpusFacts
from featureviz.dashboards.finding import Gathering
from featureviz.dashboards.schema import Dashboard
from featureviz.dashboards.text import readable

_BATCH = 2000  # rows in one INSERT


class CatalogError(ValueError):
    """A request the catalogue refuses; its message is for people."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A language model, as LanguageModel keeps it."""

    name: str
    source: str
    digest: str
    architecture: str
    n_layers: int
    d_model: int
    d_vocab: int


@dataclass(frozen=True, slots=True)
class DictionaryFacts:
    """A dictionary, as Dictionary keeps it."""

    name: str
    source: str
    digest: str
    architecture: str
    hook: str
    d_in: int
    d_sae: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A planned run, as Run and its jobs keep it."""

    key: str
    plan: dict[str, Any]
    shards: tuple[int, ...]  # contexts in each
    blocks: tuple[int, ...]  # latents in each
    provenance: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is in the stage it is in."""

    state: str
    stage: str  # what is being done, in words
    unit: str  # contexts or latents
    done: int
    total: int
    n_workers: int
    rate: float | None  # units a second in this stage; None before it can be told

    @property
    def seconds_left(self) -> float | None:
        """Until the end of this stage."""
        return (self.total - self.done) / self.rate if self.rate else None


@transaction.atomic
def register(
    model: ModelFacts, dictionary: DictionaryFacts, corpus: CorpusFacts, work: RunFacts
) -> Run:
    """The run with this key: a new one with its jobs, else the one there is, resumed as it is.

    Raises: CatalogError when a name cannot be used or belongs to other weights; no row is left.
    """
    if same := Run.objects.filter(key=work.key).first():
        Run.objects.filter(pk=same.pk).update(plan=work.plan)  # its sources may have moved
        return resume(same)
    subject = _named_model(model)
    coder = _named_dictionary(subject, dictionary)
    text = {name: getattr(corpus, name) for name in _CORPUS_FIELDS}
    kept, _ = Corpus.objects.get_or_create(digest=corpus.digest, defaults=text)
    run = Run.objects.create(
        key=work.key,
        dictionary=coder,
        corpus=kept,
        plan=work.plan,
        provenance=work.provenance,
    )
    Job.objects.bulk_create(_jobs(run, work), batch_size=_BATCH)
    return run


def find(key: str) -> Run:
    """The run whose key begins so. Raises: CatalogError when none or several do."""
    runs = Run.objects.reachable().filter(key__startswith=key)
    found = list(runs.select_related("dictionary__model")[:2])
    if len(found) == 1:
        return found[0]
    count = "several runs' keys begin" if found else "no run's key begins"
    raise CatalogError(f"{key!r}: {count} so. `python manage.py runs` lists them.")


@transaction.atomic
def resume(run: Run) -> Run:
    """Go on with a run that failed, was cancelled, or whose files were lost; done work is kept."""
    run = Run.objects.select_for_update().get(pk=run.pk)
    run.jobs.exclude(state=Job.State.RUNNING).update(attempts=0, problem="")
    run.jobs.filter(state=Job.State.FAILED).update(state=Job.State.WAITING, done=0)
    _redo_lost(run)
    if run.published_at and not _unwritten(run).exists():
        relations.resume(run)
        return run
    run.state = Run.State.RUNNING if run.started_at else Run.State.PLANNED
    run.problem = ""
    run.published_at = None
    run.provenance.pop("stage", None)  # rates are counted from here
    run.save(update_fields=["state", "problem", "published_at", "provenance"])
    return run


def cancel(run: Run) -> None:
    """Stop a run; its workers notice within seconds. Raises: CatalogError when it is done."""
    stoppable = [*ACTIVE, Run.State.FAILED, Run.State.CANCELLED]
    stopped = Run.objects.filter(pk=run.pk, state__in=stoppable)
    if not stopped.update(state=Run.State.CANCELLED, problem=""):
        raise CatalogError(f"{run} is done; there is nothing to cancel.")


def fail(run: Run, problem: str) -> None:
    """Stop a run for a reason that is not one job's."""
    Run.objects.filter(pk=run.pk, state__in=ACTIVE).update(state=Run.State.FAILED, problem=problem)


def publishable(run: Run | None = None) -> list[Run]:
    """Active runs whose jobs are all done, but whose last worker died before publishing."""
    runs = Run.objects.filter(~Exists(_unwritten(OuterRef("pk"))), state__in=ACTIVE)
    if run is not None:
        runs = runs.filter(pk=run.pk)
    return [each for each in runs if _is_orphan(each)]


def publish_if_done(run: Run) -> bool:
    """Publish a run unless a job of it is still to do."""
    return not _unwritten(run).exists() and publish(run)


def publish(run: Run) -> bool:
    """Write the run's latents and make it visible, at once; doing it twice changes nothing.

    It is then to be related to all runs over its corpus. False when packs are missing from the
    store: their jobs are waiting again.
    """
    if _redo_lost(run):
        return False
    # All is read before the transaction: while one is open, SQLite lets nobody else write.
    rows = list(_rows(run))
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run.pk)
        if run.published_at or run.state not in ACTIVE:
            return run.published_at is not None
        _write_latents(run, rows)
        now = timezone.now()
        run.provenance["seconds"] = round((now - (run.started_at or now)).total_seconds(), 1)
        run.provenance.pop("stage", None)
        run.state, run.published_at, run.problem = Run.State.DONE, now, ""
        run.save(update_fields=["state", "published_at", "problem", "provenance"])
        relations.plan(run)
    return True


def reindex(run: Run) -> None:
    """Write a run's rows, and what its latents are found by, again from its dashboards.

    Raises: StoreError when a pack is missing or damaged; nothing has changed then.
    """
    rows = list(_rows(run, anew=True))
    with transaction.atomic():
        _write_latents(run, rows)


@transaction.atomic
def note_memory(run: Run, megabytes: int) -> None:
    """Keep the largest memory any worker of the run has used."""
    run = Run.objects.select_for_update().get(pk=run.pk)
    if megabytes > run.provenance.get("peak_memory_mb", 0):
        run.provenance["peak_memory_mb"] = megabytes
        run.save(update_fields=["provenance"])


@transaction.atomic
def note_device(run: Run, device: str) -> None:
    """Keep what the run is computed on; each once, however many workers there are."""
    run = Run.objects.select_for_update().get(pk=run.pk)
    devices = run.provenance.setdefault("devices", [])
    if device not in devices:
        devices.append(device)
        run.save(update_fields=["provenance"])


def progress(run: Run) -> Progress:
    """Where the run stands now, from its rows."""
    run = Run.objects.get(pk=run.pk)
    kind = _kind_at_hand(run)
    jobs = Job.objects.filter(relations_of(run)) if kind == Job.Kind.RELATE else run.jobs
    jobs = jobs.filter(kind=kind)
    sums = jobs.aggregate(done=Sum("done", default=0), total=Sum("size", default=0))
    stage, unit = _STAGES[kind]
    if kind == Job.Kind.BLOCK and sums["done"] == sums["total"]:
        stage = "Publishing"
    return Progress(
        state=run.state,
        stage="Done" if run.published_at and kind != Job.Kind.RELATE else stage,
        unit=unit,
        n_workers=jobs.filter(state=Job.State.RUNNING).count(),
        rate=_rate(run, kind, sums["done"]),
        **sums,
    )


_STAGES = {
    Job.Kind.SHARD: ("Reading contexts", "contexts"),
    Job.Kind.BLOCK: ("Writing dashboards", "latents"),
    Job.Kind.RELATE: ("Relating latents", "latents"),
}
_CORPUS_FIELDS = ("name", "n_contexts", "context_size", "n_tokens")


def _kind_at_hand(run: Run) -> Job.Kind:
    """The stage a run is in; a published one may still be related to others."""
    if run.published_at:
        return Job.Kind.RELATE if relations.are_unfinished(run) else Job.Kind.BLOCK
    unread = run.jobs.filter(kind=Job.Kind.SHARD).exclude(state=Job.State.DONE).exists()
    return Job.Kind.SHARD if unread else Job.Kind.BLOCK


def _rate(run: Run, kind: Job.Kind, done: int) -> float | None:
    since = run.provenance.get("stage", {})
    if since.get("kind") != kind or done <= since["done"]:
        return None
    seconds = (timezone.now() - datetime.fromisoformat(since["since"])).total_seconds()
    return (done - since["done"]) / max(seconds, 1e-3)


def _named_model(facts: ModelFacts) -> LanguageModel:
    _check_name("model", facts.name, "--model-name")
    model, _ = LanguageModel.objects.get_or_create(name=facts.name, defaults=asdict(facts))
    if model.digest != facts.digest:
        raise CatalogError(
            f"The name {facts.name} is already taken by a model with other weights "
            f"({model.source}). Choose another with --model-name."
        )
    return model


def _named_dictionary(model: LanguageModel, facts: DictionaryFacts) -> Dictionary:
    _check_name("dictionary", facts.name, "--name")
    dictionary, _ = model.dictionaries.get_or_create(name=facts.name, defaults=asdict(facts))
    if (dictionary.digest, dictionary.hook) != (facts.digest, facts.hook):
        raise CatalogError(
            f"The name {dictionary} is already taken by other weights ({dictionary.source} at "
            f"{dictionary.hook}). Choose another with --name."
        )
    return dictionary


def _check_name(what: str, name: str, option: str) -> None:
    try:
        (is_model_name if what == "model" else is_name)(name)
    except ValidationError as error:
        raise CatalogError(
            f"{name!r} cannot be the {what}'s name in addresses. {error.message} "
            f"Choose one with {option}."
        ) from error


def _jobs(run: Run, work: RunFacts) -> Iterator[Job]:
    for kind, sizes in ((Job.Kind.SHARD, work.shards), (Job.Kind.BLOCK, work.blocks)):
        for number, size in enumerate(sizes):
            job = Job(run=run, kind=kind, number=number, size=size)
            if job.product.exists():  # of a database that is gone; same key, same bytes
                job.state, job.done = Job.State.DONE, size
            yield job


def _is_orphan(run: Run) -> bool:
    last = run.jobs.order_by("-heartbeat").first()
    return last is None or gone_silent(last)


def _redo_lost(run: Run) -> bool:
    """Let done jobs wait again when what they made is gone; shards only if a block needs them."""
    lost = _lost(run, Job.Kind.BLOCK)
    if worn := [job for job in lost if job.attempts >= MOST_ATTEMPTS]:
        fail(
            run,
            f"{worn[0]} was written {worn[0].attempts} times, and is not in {run.folder}. Do all "
            "workers share this folder (FEATUREVIZ_DATA)?",
        )
    if lost or run.jobs.filter(kind=Job.Kind.BLOCK).exclude(state=Job.State.DONE).exists():
        lost += _lost(run, Job.Kind.SHARD)
    again = Job.objects.filter(pk__in=[job.pk for job in lost], state=Job.State.DONE)
    return bool(again.update(state=Job.State.WAITING, done=0))


def _lost(run: Run, kind: Job.Kind) -> list[Job]:
    done: QuerySet[Job] = run.jobs.filter(kind=kind, state=Job.State.DONE).select_related("run")
    return [job for job in done if not job.product.exists()]


def _unwritten(run: Run | OuterRef) -> QuerySet[Job]:
    """Shards and blocks still to be done: what a run's publishing waits for."""
    own = Job.objects.filter(run=run).exclude(kind=Job.Kind.RELATE)
    return own.exclude(state=Job.State.DONE)


@dataclass(frozen=True, slots=True)
class _Row:
    """A Latent's columns: far smaller than a Latent, and there may be a hundred thousand."""

    index: int
    n_active: int
    density: float
    max_activation: float
    mean_activation: float
    top_token: str = ""
    top_share: float = 0.0
    promoted_token: str = ""
    promoted_weight: float = 0.0
    n_negative: int = 0
    min_activation: float = 0.0
    n_active_contexts: int = 0
    decoder_norm: float = 0.0
    variation: float | None = None
    shape: bytes = b""
    fires_on: list[str] = field(default_factory=list)
    promotes: list[str] = field(default_factory=list)
    top_context: int | None = None
    top_position: int | None = None


def _rows(run: Run, anew: bool = False) -> Iterator[_Row]:
    """The rows of a run's latents; in the same reading, what they are found by is kept."""
    words, found_by = _Words(run.corpus.stored.vocabulary), Gathering()
    for index in range(run.dictionary.d_sae):
        dashboard = run.dashboard(index)
        found_by.add(dashboard)
        yield _row(dashboard, words)
    found_by.write(run.folder, run.corpus.stored, replace=anew)


def _row(dashboard: Dashboard, words: "_Words") -> _Row:
    row = _Row(
        dashboard.index,
        dashboard.n_active,
        dashboard.density,
        dashboard.max_activation,
        dashboard.mean_activation,
        **glance(dashboard, words.__getitem__),
    )
    if dashboard.negative:
        n_negative = dashboard.negative.n_active
        row = replace(row, n_negative=n_negative, min_activation=dashboard.min_activation)
    if dashboard.fires_on:
        most = dashboard.fires_on[0]
        share = most.n_active / dashboard.n_active
        row = replace(row, top_token=words[most.token], top_share=share)
    if dashboard.shown_logits and dashboard.shown_logits.top:
        promoted = dashboard.shown_logits.top[0]
        row = replace(row, promoted_token=words[promoted.token], promoted_weight=promoted.value)
    return row


class _Words(dict[int, str]):
    """Tokens as text that fits a column, each made once."""

    def __init__(self, vocabulary: list[bytes]) -> None:
        self.vocabulary = vocabulary

    def __missing__(self, token: int) -> str:
        # A padded unembedding has more rows than the vocabulary; PostgreSQL stores no NUL.
        piece = self.vocabulary[token] if token < len(self.vocabulary) else b""
        self[token] = readable(piece).replace("\0", "‹00›")[:100]
        return self[token]


def _write_latents(run: Run, rows: Iterable[_Row]) -> None:
    left = iter(rows)
    columns = [each.name for each in fields(_Row) if each.name != "index"]
    while batch := list(islice(left, _BATCH)):
        Latent.objects.bulk_create(
            [Latent(run=run, **asdict(row)) for row in batch],
            update_conflicts=True,
            unique_fields=["run", "index"],
            update_fields=columns,
        )
    Run.objects.filter(pk=run.pk).update(latents_written_at=timezone.now())
    if (
        connection.vendor == "postgresql"
    ):  # else its planner takes the table to be empty for a while
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(Latent._meta.db_table)}")
