"""Children are never left behind, whenever the interruption comes."""

import os
import signal
import subprocess

import pytest

from tasks.children import Child, ended_by_signals


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


def test_outside_a_start_an_interruption_ends_the_block_and_the_child(tmp_path):
    with ended_by_signals(), Child(["http.server", "0"], tmp_path / "log") as child:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("not interrupted")
    assert not child.is_alive
