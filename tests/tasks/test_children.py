"""Children are never left behind, whenever the interruption comes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from tasks.children import Child, ended_by_signals
from tests.environment import ROOT


@pytest.fixture(autouse=True)
def handlers():
    """An interrupted process ignores later signals; this one goes on."""
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.getsignal(each) for each in caught}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def test_an_interruption_while_a_child_starts_leaves_no_child(tmp_path, monkeypatch):
    started = []
    real = subprocess.Popen

    def interrupted(*arguments, **options):
        started.append(real(*arguments, **options))
        os.kill(os.getpid(), signal.SIGTERM)  # before anybody holds the child
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    reached = []
    with ended_by_signals():
        with Child(["http.server", "0"], tmp_path / "log"):
            reached.append("inside")
        reached.append("after")
    assert [child.poll() is None for child in started] == [False]
    assert reached == []


def runs(process):
    """Whether it is there, and not only its number, which nobody asked for yet."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_ends_with_a_parent_that_was_killed(tmp_path):
    start = (
        "import django, sys, time; django.setup()\n"
        "from pathlib import Path\n"
        "from tasks.children import Child\n"
        f"with Child(['http.server', '0'], Path({str(tmp_path)!r}) / 'log') as child:\n"
        "    print(child._process.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = monotonic() + 10
    while runs(child) and monotonic() < deadline:
        sleep(0.05)
    assert not runs(child)


def test_outside_a_start_an_interruption_ends_the_block_and_the_child(tmp_path):
    with ended_by_signals(), Child(["http.server", "0"], tmp_path / "log") as child:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("not interrupted")
    assert not child.is_alive
