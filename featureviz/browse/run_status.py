"""How a run stands, as its page and the list of runs tell it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Max
from django.utils import timezone

from featureviz.browse.formats import whole
from featureviz.catalog import relations
from featureviz.catalog.claims import ACTIVE, STALE_AFTER, gone_silent
from featureviz.catalog.models import Job, Run
from featureviz.catalog.relations import Relation
from featureviz.catalog.runs import Progress, progress

SHOWN_KEY = 12  # digits of a key in addresses and on pages
STAGES = ("Reading contexts", "Writing dashboards", "Publishing", "Relating latents")
_STATES = {
    Run.State.PLANNED: "Waiting to start",
    Run.State.RUNNING: "Running",
    Run.State.DONE: "Done",
    Run.State.FAILED: "Failed",
    Run.State.CANCELLED: "Cancelled",
}
_SETTINGS = {
    "hook": "Hook point",
    "n_contexts": "Contexts",
    "context_size": "Positions in a context",
    "d_sae": "Latents",
    "ends": "Ends of a latent",
    "d_vocab": "Tokens in the vocabulary",
    "seed": "Seed of the sampled examples",
    "ablate": "Examples ablated",
    "n_bins": "Bars of a histogram",
    "n_intervals": "Intervals",
    "n_top": "Top examples",
    "n_per_interval": "Examples of an interval",
    "n_random": "Random examples",
    "batch_size": "Contexts in a forward pass",
    "shard_size": "Contexts in a shard",
    "block_size": "Latents in a block",
    "version": "Version of the plan",
}


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and the job it is at."""

    job: Job
    is_silent: bool

    @property
    def name(self) -> str:
        """Process and machine: `process 412 on gpu-3`."""
        machine, _, process = self.job.worker.rpartition(":")
        return f"process {process} on {machine.split(':')[0]}" if machine else process

    @property
    def seconds_since(self) -> float:
        """Since it was last heard of."""
        return _seconds(self.job.heartbeat, timezone.now())


@dataclass(frozen=True)
class RunStatus:
    """A run, read from its rows."""

    run: Run

    @property
    def key(self) -> str:
        """Enough of the run's key to name it."""
        return self.run.key[:SHOWN_KEY]

    @property
    def words(self) -> str:
        """The state, in words."""
        return _STATES[Run.State(self.run.state)]

    @property
    def is_active(self) -> bool:
        """Whether the run goes on or waits to."""
        return self.run.state in ACTIVE

    @cached_property
    def is_relating(self) -> bool:
        """Whether it is published, and its latents are still being related to others."""
        return self.run.published_at is not None and relations.are_unfinished(self.run)

    @property
    def moves(self) -> bool:
        """Whether a worker is at it, or will be."""
        return self.is_active or self.is_relating

    @cached_property
    def unrelated(self) -> list[Relation]:
        """Relations that will not be done unless somebody says so."""
        return [each for each in relations.of(self.run) if each.problem]

    @property
    def can_be_resumed(self) -> bool:
        """Whether somebody has to say that it shall go on."""
        return self.run.state in (Run.State.FAILED, Run.State.CANCELLED) or bool(self.unrelated)

    @cached_property
    def progress(self) -> Progress:
        """How far it is in the stage it is in."""
        return progress(self.run)

    @property
    def stages(self) -> list[tuple[str, str]]:
        """The stages, each `past`, `now` or `to come`."""
        at = STAGES.index(self.progress.stage) if self.progress.stage in STAGES else len(STAGES)
        if self.run.state == Run.State.PLANNED:
            at = -1
        return [
            (stage, "past" if number < at else "now" if number == at else "to come")
            for number, stage in enumerate(STAGES)
        ]

    @cached_property
    def workers(self) -> list[Worker]:
        """Who is at it now, by job."""
        held = self.run.jobs.filter(state=Job.State.RUNNING).order_by("-kind", "number")
        return [Worker(job, gone_silent(job)) for job in held]

    @cached_property
    def heard_at(self) -> datetime | None:
        """When a worker of this run was last heard of."""
        last: datetime | None = self.run.jobs.aggregate(last=Max("heartbeat"))["last"]
        return last

    @property
    def waits_for(self) -> str:
        """What an active run waits for: `worker` when none is heard of, `turn`, or nothing."""
        if not self.moves or any(not worker.is_silent for worker in self.workers):
            return ""
        heard = _workers_heard_of()
        if not heard:
            return "worker"
        others = Job.objects.filter(state=Job.State.RUNNING).exclude(run=self.run)
        return "turn" if heard <= set(others.values_list("worker", flat=True)) else ""

    @property
    def seconds(self) -> float | None:
        """How long it took, or has been taking."""
        if self.run.published_at and "seconds" in self.run.provenance:
            return float(self.run.provenance["seconds"])
        if self.run.started_at is None:
            return None
        return _seconds(self.run.started_at, timezone.now() if self.is_active else self.heard_at)

    @property
    def device(self) -> str:
        """What its workers compute on."""
        return " · ".join(self.run.provenance.get("devices", []))

    @property
    def settings(self) -> list[tuple[str, str]]:
        """The settings that decide the bytes, each with what it means."""
        return list(_settings(self.run.plan))

    @property
    def sources(self) -> dict[str, Any]:
        """Where model and dictionary were loaded from."""
        sources: dict[str, Any] = self.run.plan.get("sources", {})
        return sources


def _workers_heard_of() -> set[str]:
    """Workers that are alive, as far as can be told, whatever they are at."""
    recent = Job.objects.filter(heartbeat__gte=timezone.now() - STALE_AFTER).exclude(worker="")
    last = recent.order_by().values_list("worker").annotate(Max("heartbeat"))
    return {name for name, at in last if not gone_silent(Job(worker=name, heartbeat=at))}


def _settings(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    flat = {**plan, **plan.get("sizes", {})}
    for name in flat.keys() & {"d_sae", "block_size"}:  # the engine counts ends
        flat[name] //= flat.get("ends", 1)
    for name, label in _SETTINGS.items():
        if name in flat:
            value = flat[name]
            yield label, whole(value) if isinstance(value, int) else str(value)


def _seconds(since: datetime | None, until: datetime | None) -> float:
    return max(0.0, (until - since).total_seconds()) if since and until else 0.0
