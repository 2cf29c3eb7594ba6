"""How the latents of runs over one corpus go together: planned, done again, found for a page.

A relation leads from one run to another, or to itself; its jobs belong to the first. They are
added when a run is published and change nothing about what is published.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.db.models import Count, Max, Q

from featureviz.catalog.claims import relations_of
from featureviz.catalog.models import Job, Run

_OPEN = (Job.State.WAITING, Job.State.RUNNING)


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation from a run, as far as it is."""

    run: Run
    other: Run
    is_whole: bool  # every block is there
    problem: str  # why the rest will not come by itself; empty: it will

    @property
    def state(self) -> str:
        """`done` when a reader can have it, else `waiting` or `failed`."""
        if self.is_whole:
            return "done"
        return "failed" if self.problem else "waiting"

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """Where it stands in a list: the own dictionary first, then others of the same model."""
        own, other = self.run.dictionary, self.other.dictionary
        return own != other, own.model_id != other.model_id, str(other)


def plan(run: Run) -> None:
    """Add what is missing so that a published run is related to all others, both ways."""
    for other in _counterparts(run):
        pairs = {(run.pk, other.pk): (run, other), (other.pk, run.pk): (other, run)}
        jobs = chain.from_iterable(_jobs(*pair) for pair in pairs.values())
        Job.objects.bulk_create(jobs, ignore_conflicts=True)


def resume(run: Run) -> None:
    """Go on with the relations of a published run: the failed, the lost, the never planned.

    What they read again of activations that were deleted is computed again.
    """
    plan(run)
    jobs = Job.objects.filter(relations_of(run)).select_related("run", "other")
    jobs.filter(state=Job.State.FAILED).update(state=Job.State.WAITING)
    _again(job for job in jobs.filter(state=Job.State.DONE) if not job.product.exists())
    jobs.filter(state=Job.State.WAITING).update(done=0, attempts=0, problem="")
    needed = jobs.filter(state__in=_OPEN).order_by().values_list("run", "other").distinct()
    shards = Job.objects.filter(
        run__in=set(chain.from_iterable(needed)), kind=Job.Kind.SHARD, state=Job.State.DONE
    )
    _again(job for job in shards.select_related("run") if not job.product.exists())


def are_unfinished(run: Run) -> bool:
    """Whether a relation of the run, or to it, is still to be done."""
    return Job.objects.filter(relations_of(run), state__in=_OPEN).exists()


def of(run: Run) -> list[Relation]:
    """The relations of a run, one to each dictionary: the newest that is whole, else the newest."""
    rows = (
        run.jobs.filter(kind=Job.Kind.RELATE, other__in=Run.objects.readable())
        .order_by("other__published_at")
        .values("other")
        .annotate(
            undone=Count("pk", filter=~Q(state=Job.State.DONE)),
            problem=Max("problem", filter=Q(state=Job.State.FAILED)),
        )
    )
    others = {run.pk: run}
    if elsewhere := [row["other"] for row in rows if row["other"] != run.pk]:
        others |= Run.objects.select_related("dictionary__model").in_bulk(elsewhere)
    found: dict[int, Relation] = {}
    for row in rows:
        other = others[row["other"]]
        relation = Relation(run, other, not row["undone"], row["problem"] or "")
        before = found.get(other.dictionary_id)
        if before is None or relation.is_whole or not before.is_whole:
            found[other.dictionary_id] = relation
    return sorted(found.values(), key=lambda relation: relation.rank)


def _counterparts(run: Run) -> list[Run]:
    """The run itself, and of every other dictionary the newest run over the same corpus.

    Signed latents are left out: each is two series of activations, and pairs of ends say little.
    """
    if run.ends > 1:
        return []
    others = Run.objects.published().filter(corpus=run.corpus_id)
    others = others.exclude(dictionary=run.dictionary_id).order_by("published_at")
    newest = {other.dictionary_id: other for other in others if other.ends == 1}
    return [run, *newest.values()]


def _jobs(run: Run, other: Run) -> Iterator[Job]:
    blocks = run.jobs.filter(kind=Job.Kind.BLOCK).order_by("number")
    for number, size in blocks.values_list("number", "size"):
        job = Job(run=run, other=other, kind=Job.Kind.RELATE, number=number, size=size)
        if job.product.exists():  # of a database that is gone; same keys, same bytes
            job.state, job.done = Job.State.DONE, size
        yield job


def _again(jobs: Iterator[Job]) -> None:
    lost = Job.objects.filter(pk__in=[job.pk for job in jobs], state=Job.State.DONE)
    lost.update(state=Job.State.WAITING, done=0, attempts=0)
