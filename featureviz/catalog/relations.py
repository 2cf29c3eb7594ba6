"""How the latents of runs over one corpus go together: planned, done again, found for a page.

A relation leads from one run to another, or to itself; its jobs belong to the first. They are
added when a run is published and change nothing about what is published.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain

from django.db import connection
from django.utils import timezone

from featureviz.catalog.claims import relations_of
from featureviz.catalog.models import Job, Run
from featureviz.catalog.reading import reader

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
    found: dict[int, Relation] = {}
    for relation in _readable(run):
        other = relation.other.dictionary_id
        before = found.get(other)
        if before is None or relation.is_whole or not before.is_whole:
            found[other] = relation
    return sorted(found.values(), key=lambda relation: relation.rank)


def _readable(run: Run) -> list[Relation]:
    """All relations of a run to those its reader may see, the oldest first."""
    states: dict[int, dict[str, str]] = {}  # by run: a problem of the jobs in each state
    for other, state, problem in _stands(run):
        states.setdefault(other, {})[state] = problem
    relations = [
        Relation(run, other, set(states[key]) == {Job.State.DONE}, states[key].get("failed", ""))
        for key, other in _others(run, states).items()
    ]
    return sorted(relations, key=lambda relation: relation.other.published_at or timezone.now())


def _stands(run: Run) -> list[tuple[int, str, str]]:
    """The other run, a state, and a problem of the jobs in it; every page of a latent asks."""
    with connection.cursor() as cursor:  # the mapper took four fifths of the time
        cursor.execute(
            f"SELECT other_id, state, MAX(problem) FROM {Job._meta.db_table}"  # noqa: S608 - ours
            " WHERE run_id = %s AND kind = %s GROUP BY other_id, state",
            [run.pk, Job.Kind.RELATE],
        )
        return cursor.fetchall()


def _others(run: Run, keys: Collection[int]) -> dict[int, Run]:
    """The published runs of these that the reader may see."""
    if not keys:
        return {}
    if reader().sees_all and list(keys) == [run.pk] and run.published_at:
        return {run.pk: run}
    return Run.objects.readable().select_related("dictionary__model").in_bulk(list(keys))


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
