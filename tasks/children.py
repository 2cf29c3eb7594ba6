"""Processes that a command starts, keeps alive, and never leaves behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Self

from django.conf import settings

RESTART_SECONDS = 3.0  # at least, between two starts of a child that keeps dying
GRACE_SECONDS = 10.0  # between asking a child to stop and making it
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _tied() -> list[str]:
    """What has a process end with its parent, even one that was killed; nothing outside Linux."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


class _Starting:
    """While a child is started, an interruption waits."""

    def __init__(self) -> None:
        self._is_on = self._interrupted = False

    def __enter__(self) -> None:
        self._is_on = True

    def __exit__(self, *_: object) -> None:
        self._is_on = False
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def interrupt(self) -> None:
        """Interrupt now, or when the child is there. Raises: KeyboardInterrupt."""
        if not self._is_on:
            raise KeyboardInterrupt
        self._interrupted = True


_starting = _Starting()


class Child:
    """A `python -m …` of this project, in a session of its own, so that Ctrl-C reaches only us."""

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self._environment = environment or {}  # beside what this process has
        self._command = [*_tied(), sys.executable, "-m", *arguments]
        self._started = 0.0

    def __enter__(self) -> Self:
        try:
            self._start("w")
        except KeyboardInterrupt:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def restart_if_dead(self) -> bool:
        """Start it again when it died, but not at once after a start; says whether it did."""
        if self.is_alive or monotonic() - self._started < RESTART_SECONDS:
            return False
        self._start("a")
        return True

    def stop(self) -> None:
        """Ask it to stop, wait, and in the end make it and all it started."""
        if self.is_alive:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _start(self, mode: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._started = monotonic()
        with self.log.open(mode) as log, _starting:  # a child nobody holds yet would be left behind
            self._process = subprocess.Popen(
                self._command,
                cwd=settings.BASE_DIR,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM or a closed terminal end the block, as KeyboardInterrupt in it.

    Later signals are ignored: the process is ending, and stops its children in peace.
    """
    caught = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        _starting.interrupt()

    before = {each: signal.signal(each, interrupt) for each in caught}
    with suppress(KeyboardInterrupt):
        yield
        for each, handler in before.items():
            signal.signal(each, handler)
