"""Jobs: one worker at a time holds one, and a dead worker's job goes to another."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from featureviz.catalog import claims, runs
from featureviz.catalog.models import Job, Run
from tests.catalog import toy

pytestmark = pytest.mark.django_db

ELSEWHERE = "another-host:0:0:1"


@pytest.fixture
def run(store):
    return toy.register(store)


def age(job, seconds):
    Job.objects.filter(pk=job.pk).update(heartbeat=timezone.now() - timedelta(seconds=seconds))


def test_jobs_are_claimed_in_order_and_blocks_wait_for_all_shards(run):
    held = [claims.claim("w") for _ in range(3)]
    assert [(job.kind, job.number) for job in held] == [("shard", 0), ("shard", 1), ("shard", 2)]
    assert claims.claim("w") is None
    for job in held:
        claims.finish(job)
    assert (claims.claim("w").kind, run.jobs.filter(state="running").count()) == ("block", 1)


def test_the_oldest_run_comes_first(store, run):
    runs.register(
        toy.MODEL, toy.DICTIONARY, toy.CORPUS, runs.RunFacts("a" * 64, {}, (1,), (10,), {})
    )
    assert claims.claim("w").run == run


def test_claiming_the_first_job_starts_the_run(run):
    job = claims.claim("w")
    run.refresh_from_db()
    assert (run.state, job.attempts, job.worker) == (Run.State.RUNNING, 1, "w")
    assert run.started_at is not None


def test_a_job_that_was_taken_from_a_worker_is_no_longer_its_to_change(run):
    lost = claims.claim(ELSEWHERE)
    age(lost, 3600)
    assert claims.reap() == 1
    held = claims.claim("w")
    assert held.pk == lost.pk
    assert not claims.beat(lost, 1)
    assert not claims.finish(lost)
    claims.release(lost)
    claims.fail(lost, "too late")
    held.refresh_from_db()
    assert (held.state, held.worker) == (Job.State.RUNNING, "w")


def test_the_same_worker_holds_a_job_by_its_newest_claim_only(run):
    first = claims.claim(ELSEWHERE)
    age(first, 3600)
    claims.reap()
    second = claims.claim(ELSEWHERE)
    assert not claims.finish(first)
    assert claims.finish(second)


def test_a_job_whose_worker_is_heard_of_is_left_alone(run):
    job = claims.claim(ELSEWHERE)
    age(job, 5)
    assert claims.reap() == 0


def test_a_worker_of_this_machine_that_died_is_noticed_at_once(run):
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    machine = claims.this_worker().rpartition(":")[0]
    claims.claim(f"{machine}:{died.pid}")
    claims.claim(f"{machine}:{os.getpid()}")
    assert claims.reap() == 1
    assert set(run.jobs.filter(number=1, kind="shard").values_list("state", flat=True)) == {
        "running"
    }


def test_a_job_that_kills_three_workers_ends_the_run(run):
    for attempt in (1, 2, 3):
        job = claims.claim(ELSEWHERE)
        assert (job.number, job.attempts) == (0, attempt)
        age(job, 3600)
        claims.reap()
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert run.problem.startswith("Shard 0: 3 workers stopped at it")
    runs.resume(run)
    assert claims.claim("w").attempts == 1


def test_a_job_given_back_does_not_count_as_an_attempt(run):
    claims.release(claims.claim("w"))
    job = claims.claim("w")
    assert (job.number, job.attempts, job.done) == (0, 1, 0)


def test_a_heartbeat_tells_when_the_run_was_cancelled(run):
    job = claims.claim("w")
    assert claims.beat(job, 1)
    runs.cancel(run)
    assert not claims.beat(job, 2)
