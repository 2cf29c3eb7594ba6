"""Real servers for the tests, each in a folder and on a port or socket of its own.

In a test: `with redis_server() as url: …`. On the command line, for a whole run of the suite:
`python -m tests.servers postgres -- pytest -m database`.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import redis

START_SECONDS = 30.0


class ServerError(Exception):
    """A server is not installed or did not start; the message says what to do."""


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis that keeps nothing on disk; yields its URL, for instance redis://127.0.0.1:40713/0."""
    program = shutil.which("redis-server")
    if program is None:
        raise ServerError("redis-server is not installed: `make test` installs it.")
    port = free_port()
    options = {"--bind": "127.0.0.1", "--port": str(port), "--save": "", "--appendonly": "no"}
    with tempfile.TemporaryDirectory(prefix="featureviz-redis-") as folder:
        command = [program, "--dir", folder, *(word for pair in options.items() for word in pair)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_for_redis(process, port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL cluster reached through a socket in its own folder; yields its URL."""
    programs = _postgres_programs()
    with tempfile.TemporaryDirectory(prefix="featureviz-postgres-") as name:
        folder = Path(name)
        _give_to_postgres(folder)
        cluster = str(folder / "cluster")
        control = [f"{programs}/pg_ctl", "-D", cluster, "-s", "-w"]
        # Nothing here outlives the run, so no write need reach the disk.
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        create = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        _as_postgres([f"{programs}/initdb", "-D", cluster, *create])
        _as_postgres([*control, "-l", f"{folder}/log", "-o", options, "start"])
        try:
            yield f"postgres://postgres@{quote(name, safe='')}/postgres"
        finally:
            _as_postgres([*control, "-m", "immediate", "stop"])


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_redis(process: "subprocess.Popen[bytes]", port: int) -> None:
    with redis.Redis(port=port) as client:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
    raise ServerError(f"redis-server did not start on port {port} within {START_SECONDS:.0f} s.")


def _postgres_programs() -> Path:
    """The folder of initdb and pg_ctl: Debian keeps them beside each version, not on PATH."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: [int(digits) for digits in re.findall(r"\d+", str(path))],
    )
    found = [str(debian[-1])] if debian else [shutil.which("initdb") or ""]
    if not found[0]:
        raise ServerError("PostgreSQL's initdb is not installed: `make test` installs it.")
    return Path(found[0]).parent


def _give_to_postgres(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")


def _as_postgres(command: Sequence[str]) -> None:
    """Run as an ordinary user, because PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # The log goes to a file: a pipe inherited by the server would never be closed.
    with tempfile.TemporaryFile() as log:
        done = subprocess.run([*user, *command], cwd="/", stdout=log, stderr=log, check=False)
        if done.returncode:
            log.seek(0)
            raise ServerError(f"{' '.join(command)}: {log.read().decode().strip()}")


def main(arguments: Sequence[str]) -> int:
    """Run a command with the tests' database in a PostgreSQL of its own; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=main.__doc__)
    parser.add_argument("server", choices=["postgres"])
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        with postgres_server() as url:
            environment = {**os.environ, "TEST_DATABASE_URL": url}
            return subprocess.run(options.command, env=environment, check=False).returncode
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
