"""An installation of its own for one test: folder, database, broker; and real processes in it."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tests.environment import ROOT, settings_variables

PATIENCE = 120.0  # seconds until a test gives up waiting


@dataclass(frozen=True)
class Installation:
    """A folder with everything in it; processes started here see nothing else."""

    data: Path
    broker_url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if k not in settings_variables()}
        return inherited | {
            "FEATUREVIZ_DATA": str(self.data),
            "FEATUREVIZ_BROKER_URL": self.broker_url,
            "DJANGO_SETTINGS_MODULE": "featureviz.settings",
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `python …`; what it says is in `log`."""
        with (self.data / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `python …` to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def python(self, code: str) -> str:
        """What the code prints, run with Django set up; toy, runs, jobs and the like are there."""
        prelude = (
            "import django; django.setup()\n"
            "from django.conf import settings\n"
            "from featureviz.catalog import claims, runs\n"
            "from featureviz.celery import enqueue\n"
            "from tasks import jobs\n"
            "from tests.catalog import toy\n"
        )
        done = self.run("-c", prelude + code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def register(self, **plan: object) -> None:
        """Register a toy run and send for workers."""
        self.python(
            f"toy.register(settings.FEATUREVIZ_STORE, **{plan!r})\nenqueue('precompute.work')"
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the installation's database."""
        connection = sqlite3.connect(self.data / "db.sqlite3", timeout=20)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def state(self) -> str:
        """The state of the only run."""
        [(state,)] = self.rows("select state from catalog_run")
        return str(state)

    def packs(self) -> dict[str, bytes]:
        """What the run's packs hold."""
        return {path.name: path.read_bytes() for path in self.data.glob("store/runs/*/blocks/*")}

    def wait_until(self, fulfilled: Callable[[], bool]) -> None:
        """Wait for something that processes of the installation do."""
        deadline = monotonic() + PATIENCE
        while not fulfilled():
            assert monotonic() < deadline, (self.data / "log").read_text()
            sleep(0.05)

    def wait_for_state(self, state: str) -> None:
        """Wait until the only run is in this state."""
        self.wait_until(lambda: self.state() == state)

    def start_worker(
        self, app: str = "tests.worker.toy_app", queue: str = ""
    ) -> "subprocess.Popen[str]":
        """Start a Celery worker, of one queue or of both."""
        only = ["-Q", queue] if queue else []
        return self.start("-m", "celery", "-A", app, "worker", "--loglevel", "INFO", *only)

    @contextmanager
    def worker(self, queue: str) -> Iterator["subprocess.Popen[str]"]:
        """A Celery worker of one queue, killed at the end if it still runs."""
        started = self.start_worker(queue=queue)
        try:
            yield started
        finally:
            kill(started)

    @contextmanager
    def workers(self, count: int = 1) -> Iterator[list["subprocess.Popen[str]"]]:
        """Celery workers, killed at the end if they still run."""
        with ExitStack() as stack:
            started = [self.start_worker() for _ in range(count)]
            for worker in started:
                stack.callback(kill, worker)
            yield started


def kill(process: "subprocess.Popen[str]") -> None:
    """End a process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait()
