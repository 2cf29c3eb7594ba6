"""`manage.py demo` on an installation that has the demo's runs already."""

import os
import signal
import socket
import urllib.request

import pytest

THREE_RUNS = """
from dataclasses import replace
for key, (model, name) in zip("abc", [("A", "0"), ("A", "1"), ("B", "1")]):
    run = toy.register(
        settings.FEATUREVIZ_STORE,
        model=replace(toy.MODEL, name=model, digest=model * 64),
        dictionary=replace(toy.DICTIONARY, name=name, digest=key * 64),
        work=replace(toy.WORK, key=key * 64),
    )
jobs.work(toy.open_bench)
"""


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(process):
    """Process ids of a process's children, each with its command line."""
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(path) as file:
        return {int(pid): command_line(pid) for pid in file.read().split()}


def command_line(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read().replace("\0", " ")


def test_a_second_start_serves_without_torch_revives_its_worker_and_leaves_nothing(on_folder, port):
    on_folder.python(THREE_RUNS)
    before = on_folder.rows("select key, published_at from catalog_run order by key")
    demo = on_folder.start("manage.py", "demo", "--port", str(port))
    try:
        on_folder.wait_until(lambda: "featureviz is at" in (on_folder.data / "log").read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert page.status == 200
        with open(f"/proc/{demo.pid}/maps") as maps:
            assert "libtorch" not in maps.read()
        every = children(demo)
        worker = next(pid for pid, command in every.items() if "celery" in command)
        os.kill(worker, signal.SIGKILL)
        on_folder.wait_until(
            lambda: worker not in children(demo) and len(children(demo)) == len(every)
        )
        started = children(demo)
        demo.terminate()
        assert demo.wait(timeout=30) == 0
    finally:
        demo.kill()
        demo.wait()
    assert not [pid for pid in started if os.path.exists(f"/proc/{pid}")]
    assert on_folder.rows("select key, published_at from catalog_run order by key") == before


def test_a_port_in_use_is_refused_in_one_line(on_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = on_folder.run("manage.py", "demo", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f"CommandError: Port {port} cannot be used")
    assert done.stderr.count("\n") <= 1
