"""The worker's loop: every end of a job is written down, in words for people."""

import errno
import re
from contextlib import contextmanager

import pytest

from featureviz.catalog import claims, runs
from featureviz.catalog.models import Job, Run
from featureviz.engine.errors import EngineError
from tasks import jobs
from tests.catalog import toy

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return toy.register(store)


def benches(**steps):
    """Benches some of whose steps are replaced; and the list of runs they were opened for."""
    opened = []

    @contextmanager
    def open_bench(run):
        opened.append(run)
        bench = toy.ToyBench(run)
        for name, step in steps.items():
            object.__setattr__(bench, name, step)
        yield bench

    return open_bench, opened


def raising(error):
    def step(number, report):
        raise error

    return step


def test_work_ends_with_the_run_published(run):
    jobs.work(toy.open_bench)
    run.refresh_from_db()
    assert (run.state, run.latents.count()) == (Run.State.DONE, 10)
    assert run.provenance["peak_memory_mb"] > 0


def test_a_bench_is_opened_once_for_all_jobs_of_a_run(run):
    open_bench, opened = benches()
    jobs.work(open_bench)
    assert opened == [run]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full .* Free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full"),
        (FileNotFoundError(2, "No such file", "/gone/x"), "/gone/x: No such file. Mend that"),
        (MemoryError(), "out of memory"),
        (EngineError("cfg.json: no d_in. Add it."), "^cfg.json: no d_in. Add it. `python"),
        (ZeroDivisionError("by zero"), "This should not happen: ZeroDivisionError: by zero"),
    ],
)
def test_what_goes_wrong_is_said_in_plain_words_and_the_run_can_be_resumed(run, error, words):
    open_bench, _ = benches(block=raising(error))
    jobs.work(open_bench)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert re.search(words, run.problem)
    assert f"precompute --resume {run.key[:8]}" in run.problem
    runs.resume(run)
    jobs.work(toy.open_bench)
    run.refresh_from_db()
    assert (run.state, run.problem) == (Run.State.DONE, "")
    assert set(run.jobs.values_list("problem", flat=True)) == {""}


def test_a_full_disk_is_recognised_behind_another_error(run):
    error = RuntimeError("write failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "The disk is full" in jobs.in_plain_words(error, run)


def test_a_worker_told_to_stop_gives_its_job_back(run):
    stops = iter([False, True, True])
    jobs.work(toy.open_bench, stop=lambda: next(stops))
    job = run.jobs.get(kind="shard", number=0)
    assert (job.state, job.attempts, job.worker) == (Job.State.WAITING, 0, "")


def test_ctrl_c_gives_the_job_back_and_is_passed_on(run):
    open_bench, _ = benches(shard=raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        jobs.work(open_bench)
    assert set(run.jobs.values_list("state", "attempts")) == {("waiting", 0)}


def test_a_run_whose_last_worker_died_before_publishing_is_published_by_another(run, monkeypatch):
    monkeypatch.setattr(runs, "publish_if_done", lambda run: False)
    jobs.work(toy.open_bench)
    monkeypatch.undo()
    assert not jobs.work_waits(), "its last worker, this process, may still publish it"
    run.jobs.update(worker="another-host:0:0:1", heartbeat=None)
    assert jobs.work_waits()
    jobs.work(toy.open_bench)
    run.refresh_from_db()
    assert run.state == Run.State.DONE


def test_nothing_waits_without_a_run_or_behind_a_running_worker(store):
    assert not jobs.work_waits()
    toy.register(store)
    assert jobs.work_waits()
    for _ in toy.WORK.shards:
        claims.claim(claims.this_worker())
    assert not jobs.work_waits()
