"""Open the shipped demo: web process, worker, and on the first start its dashboards."""

import os
import socket
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TextIO

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from featureviz import env
from featureviz.catalog import claims, runs
from featureviz.catalog.models import Run
from featureviz.celery import enqueue
from featureviz.engine.errors import EngineError
from tasks import demo
from tasks.bars import LOOK_SECONDS, Bar
from tasks.children import Child, ended_by_signals

START_SECONDS = 60.0  # the web process may take to answer
BAD_INPUT = 2
_WORKERS = 2  # at most: each holds a model and a block's activations


class Command(BaseCommand):
    """Everything a newcomer needs, in one process group that ends with this command."""

    help = "Open the shipped demo in the browser's reach; Ctrl-C stops it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--port", type=int, help="else PORT of the environment, else 8000")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run it."""
        port = options["port"] or env.whole_number("PORT", 8000, at_least=1)
        stream = options.get("stdout") or sys.stdout
        with ended_by_signals():
            _check_port(port)
            call_command("migrate", verbosity=0)
            _collect_static_files()
            with ExitStack() as children:
                web = children.enter_context(_web(port))
                workers = [children.enter_context(worker) for worker in _workers()]
                _wait_for(web, port)
                self.stdout.write(f"featureviz is at http://127.0.0.1:{port}/ (Ctrl-C stops it)")
                Demo(web, workers, stream).run()
        self.stdout.write("Stopped.")


class Demo:
    """What goes on between start and Ctrl-C."""

    def __init__(self, web: Child, workers: Sequence[Child], stream: TextIO) -> None:
        self._web = web
        self._workers = workers
        self._stream = stream

    def run(self) -> None:
        """Let the worker compute what is missing, then keep both processes alive, for ever."""
        with Bar(self._stream) as bar:
            self._compute(bar)
        while True:
            self._look_after()

    def _compute(self, bar: Bar) -> None:
        missing = [each for each in demo.RUNS if not _is_done(each.find())]
        if not missing:
            return
        bar.say("Preparing the demo's dashboards; pages open as they are ready.")
        registered = []
        for each in missing:
            registered.append(_register(each))
            enqueue("precompute.work")
        for run in registered:
            self._see_through(run, bar)
        for run in registered:
            self._see_related(run, bar)
        if all(_is_done(each.find()) for each in demo.RUNS):
            bar.say("All dashboards are there.")

    def _see_through(self, run: Run, bar: Bar) -> None:
        while run.state in (Run.State.PLANNED, Run.State.RUNNING):
            bar.show(str(run.dictionary), runs.progress(run))
            self._look_after()
            run.refresh_from_db(fields=["state", "problem"])
        bar.show(str(run.dictionary), runs.progress(run))
        if run.problem:
            bar.say(run.problem)

    def _see_related(self, run: Run, bar: Bar) -> None:
        while claims.is_relating(run):
            bar.show(str(run.dictionary), runs.progress(run))
            self._look_after()

    def _look_after(self) -> None:
        sleep(LOOK_SECONDS)
        if not self._web.is_alive:
            raise CommandError(f"The web process ended; {self._web.log} tells why.")
        for worker in self._workers:
            worker.restart_if_dead()


def _register(each: demo.DemoRun) -> Run:
    try:
        return demo.register(each)
    except (EngineError, runs.CatalogError) as error:
        raise CommandError(str(error), returncode=BAD_INPUT) from error


def _is_done(run: Run | None) -> bool:
    return run is not None and run.state == Run.State.DONE and not claims.is_relating(run)


def _web(port: int) -> Child:
    bind = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"]
    return Child(["gunicorn", "featureviz.wsgi", "--no-control-socket", *bind], _log("web"))


def _workers() -> list[Child]:
    """Two, where there are two cores: they share the blocks, which one process does one by one."""
    cores = len(os.sched_getaffinity(0))
    count = min(_WORKERS, cores)
    threads = {"OMP_NUM_THREADS": str(cores // count)}
    command = ["celery", "-A", "featureviz", "worker", "--loglevel", "INFO"]
    return [
        Child([*command, "--hostname", f"{number}@%h"], _log(f"worker-{number}"), threads)
        for number in range(1, count + 1)
    ]


def _log(name: str) -> Path:
    return Path(settings.FEATUREVIZ_DATA) / "logs" / f"{name}.log"


def _check_port(port: int) -> None:
    if port > 65535:
        raise CommandError(f"Port {port}: expected 1 to 65535.", returncode=BAD_INPUT)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Choose another: PORT={port + 1}.",
                returncode=BAD_INPUT,
            ) from error


def _wait_for(web: Child, port: int) -> None:
    deadline = monotonic() + START_SECONDS
    while web.is_alive and monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            sleep(0.05)
        else:
            return
    raise CommandError(f"The web process did not start; {web.log} tells why.")


def _collect_static_files() -> None:
    """Copy static files to where they are served from, when one is newer than the copies."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    sources = (path for folder in settings.STATICFILES_DIRS for path in Path(folder).rglob("*"))
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    if not manifest.exists() or manifest.stat().st_mtime < newest:
        call_command("collectstatic", interactive=False, verbosity=0)
