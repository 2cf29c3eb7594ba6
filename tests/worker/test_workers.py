"""Real workers over real brokers: whatever happens to them, the run ends with the same bytes."""

import signal
from time import sleep


def attempts(installation):
    """At the shards and blocks; relations come when the run is done."""
    query = "select attempts from catalog_job where other_id is null"
    return [row[0] for row in installation.rows(query)]


def running(installation, kind):
    query = f"select number from catalog_job where state = 'running' and kind = '{kind}'"
    return bool(installation.rows(query))


def test_three_workers_share_a_run_and_write_the_bytes_of_one_process(installation, expected):
    with installation.workers(3):
        installation.wait_until(lambda: (installation.data / "log").read_text().count("ready.") > 2)
        installation.register(pause=1.0)  # long enough for each to look for work
        installation.wait_for_state("done")
    assert installation.packs() == expected
    assert attempts(installation) == [1] * 6
    workers = installation.rows("select distinct worker from catalog_job where worker != ''")
    assert len(workers) == 3


def test_workers_of_two_queues_share_a_run_by_its_kinds_of_work(installation, expected):
    with installation.worker(queue="cpu"), installation.worker(queue="gpu"):
        installation.register(pause=0.05)
        installation.wait_until(
            lambda: installation.rows("select 1 from catalog_job where other_id")
        )
        installation.wait_until(lambda: not installation.rows(UNDONE))
    assert installation.packs() == expected
    by_kind = installation.rows("select distinct kind = 'relate', worker from catalog_job")
    assert sorted(is_relation for is_relation, _ in by_kind) == [0, 1]
    assert len({worker for _, worker in by_kind}) == 2


def test_a_worker_of_a_queue_that_is_none_refuses_to_start(on_folder):
    worker = on_folder.start_worker(queue="tpu")
    assert worker.wait(60) != 0
    assert "'tpu'" in (on_folder.data / "log").read_text()


def test_messages_delivered_many_times_change_nothing(on_folder, expected):
    on_folder.register(pause=0.02)
    on_folder.python("for _ in range(10): enqueue('precompute.work')")
    with on_folder.workers(2):
        on_folder.wait_for_state("done")
        written = on_folder.rows("select published_at from catalog_run")
        on_folder.python("for _ in range(3): enqueue('precompute.work')")
        on_folder.wait_until(lambda: not list(on_folder.data.glob("queue/messages/*.msg")))
    assert on_folder.packs() == expected
    assert attempts(on_folder) == [1] * 6
    assert on_folder.rows("select published_at from catalog_run") == written
    assert on_folder.rows("select count(*) from catalog_latent") == [(10,)]


def test_others_finish_what_workers_killed_at_either_stage_began(installation, expected):
    installation.register(pause=0.2)
    for stage in ("shard", "block"):
        with installation.workers(1) as [victim]:
            installation.wait_until(lambda: running(installation, stage))  # noqa: B023
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        assert installation.state() == "running"
        assert installation.packs() != expected
    with installation.workers(1):
        installation.wait_for_state("done")
    assert installation.packs() == expected
    assert sorted(attempts(installation)) == [1, 1, 1, 1, 2, 2]


def test_an_idle_worker_takes_over_from_one_killed_beside_it(on_folder, expected):
    on_folder.register(pause=0.5)
    with on_folder.workers(1) as [victim]:
        on_folder.wait_until(lambda: running(on_folder, "shard"))
        with on_folder.workers(1):
            on_folder.wait_until(lambda: len(on_folder.rows(RUNNING)) == 2)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            on_folder.wait_for_state("done")
    assert on_folder.packs() == expected


def test_a_run_whose_message_was_lost_is_found_by_a_worker(on_folder, expected):
    on_folder.register()
    for message in on_folder.data.glob("queue/messages/*.msg"):
        message.unlink()
    with on_folder.workers(1):
        on_folder.wait_for_state("done")
    assert on_folder.packs() == expected


def test_a_worker_asked_to_stop_gives_its_job_back_and_ends(on_folder):
    on_folder.register(pause=0.5)
    with on_folder.workers(1) as [worker]:
        on_folder.wait_until(lambda: running(on_folder, "shard"))
        worker.terminate()
        assert worker.wait(timeout=30) == 0
    assert not on_folder.rows(RUNNING)
    assert 2 not in attempts(on_folder)
    assert on_folder.state() == "running"


def test_cancelling_stops_the_workers_and_resuming_ends_with_the_same_bytes(on_folder, expected):
    on_folder.register(pause=4)  # longer than a command takes to start
    with on_folder.workers(1):
        on_folder.wait_until(lambda: running(on_folder, "shard"))
        cancelled = on_folder.run("manage.py", "runs", "--cancel", "kkk")
        assert cancelled.returncode == 0, cancelled.stderr
        on_folder.wait_until(lambda: not on_folder.rows(RUNNING))
        assert on_folder.state() == "cancelled"
        on_folder.python("run = runs.find('kkk'); run.plan['pause'] = 0; run.save()")
        assert on_folder.run("manage.py", "runs", "--resume", "kkk").returncode == 0
        on_folder.wait_for_state("done")
    assert on_folder.packs() == expected


def test_a_full_disk_ends_the_run_with_the_reason_and_it_resumes_when_there_is_room(
    on_folder, expected
):
    full = on_folder.data / "full"
    full.touch()
    on_folder.register(full=str(full))
    with on_folder.workers(1):
        on_folder.wait_for_state("failed")
        [(problem,)] = on_folder.rows("select problem from catalog_run")
        assert problem.startswith("The disk is full (")
        assert "precompute --resume kkkkkkkk" in problem
        assert "The disk is full" in on_folder.run("manage.py", "runs").stdout
        assert not on_folder.rows("select * from catalog_latent")
        full.unlink()
        on_folder.run("manage.py", "runs", "--resume", "kkk")
        on_folder.wait_for_state("done")
    assert on_folder.packs() == expected


def relation_packs(installation):
    return {
        path.name: path.read_bytes()
        for path in installation.data.glob("store/runs/*/relations/*/*")
    }


def test_another_worker_finishes_the_relation_one_was_killed_at(on_folder):
    on_folder.register(pause=0)
    on_folder.python(
        "run = runs.find('kkk')\n"
        "while job := claims.claim('w', run):\n"
        "    if job.kind == 'relate': claims.release(job); break\n"
        "    bench = toy.ToyBench(run)\n"
        "    step = bench.shard if job.kind == 'shard' else bench.block\n"
        "    step(job.number, lambda done: None); claims.finish(job)\n"
        "    runs.publish_if_done(run)\n"
        "run.refresh_from_db(); run.plan['pause'] = 0.2; run.save()\n"
    )
    with on_folder.workers(1) as [victim]:
        on_folder.wait_until(lambda: running(on_folder, "relate"))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    assert on_folder.state() == "done"
    assert len(relation_packs(on_folder)) < 3
    with on_folder.workers(2):
        on_folder.wait_until(lambda: not on_folder.rows(UNDONE))
    assert len(relation_packs(on_folder)) == 3
    attempts = on_folder.rows("select attempts from catalog_job where kind = 'relate'")
    assert sorted(attempts) == [(1,), (1,), (2,)]


def test_processes_claiming_at_once_never_claim_the_same_job(on_folder):
    on_folder.python(
        "from dataclasses import replace\n"
        "toy.register(settings.FEATUREVIZ_STORE,"
        " work=replace(toy.WORK, shards=(1,) * 40))"
    )
    go = on_folder.data / "go"
    code = (
        "import django; django.setup()\n"
        "from pathlib import Path; from time import sleep\n"
        "from featureviz.catalog import claims\n"
        f"while not Path({str(go)!r}).exists(): sleep(0.001)\n"
        "while claims.claim(claims.this_worker()): pass\n"
    )
    claiming = [on_folder.start("-c", code) for _ in range(3)]
    sleep(2)  # until all have started
    go.touch()
    assert [process.wait() for process in claiming] == [0, 0, 0], (
        on_folder.data / "log"
    ).read_text()
    assert on_folder.rows(
        "select state, attempts, count(*) from catalog_job where kind = 'shard' group by 1, 2"
    ) == [("running", 1, 40)]
    holders = {
        row[0] for row in on_folder.rows("select worker from catalog_job where worker != ''")
    }
    assert len(holders) > 1, "one process did it all: nothing was tested"


RUNNING = "select id from catalog_job where state = 'running'"
UNDONE = "select id from catalog_job where state != 'done'"
