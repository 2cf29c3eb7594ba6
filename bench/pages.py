"""What readers wait for, on a full site of 100,000 latents behind the production server.

The server is started as `manage.py demo` starts it. The site is made once and kept in
var/bench/site, or where FEATUREVIZ_BENCH_SITE says; `python -m bench.site FOLDER` makes it alone.
"""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import quote

from bench import browser
from bench.rows import Row, seconds
from bench.site import DICTIONARY, MODEL, N_LATENTS
from tests.servers import free_port, postgres_server

_ROOT = Path(__file__).resolve().parent.parent
_SITE = Path(os.environ.get("FEATUREVIZ_BENCH_SITE", _ROOT / "var/bench/site"))
_TABLE = f"/{MODEL}/{DICTIONARY}/"
_VIEWS = (
    "", "?sort=-max", "?sort=-density&page=2", "?page=1000", "?sort=-variation&page=500",
    "?density=0.1%25..1%25&sort=-max", "?max=>3&mean=<1&sort=-tokens,max",
    "?has=explanation&sort=-max", "?sort=-explained,-density&page=150", "?fires=bace",
    "?promotes=lame&sort=-max", "?show=dead", "?density=>1%25&max=>1000",
    "?cols=about,max,norm,variation,contexts&sort=norm",
)  # fmt: skip
_QUERIES = (
    "bace", "wizon pome", "density:<0.001 fires:bace", "promotes:lame", "has:explanation before",
    'context:"bace la"', "12345", f"{MODEL}/{DICTIONARY}/777",
)  # fmt: skip
_LATENTS = 300
_KEPT_AT_ONCE = 100  # fewer than the server keeps drawn
_ROUNDS = 12  # over all views
_READERS, _READING_SECONDS = 50, 15.0


def rows() -> Iterator[Row]:
    """All figures; on SQLite, then the table and the search again on PostgreSQL."""
    make_site(_SITE)
    yield pace()
    with server(_SITE) as site:
        yield from latents(site)
        yield from lists(site, "SQLite", 60)
        yield from browser.rows(site.address, f"{_TABLE}3000")
        yield from crowd(site)
    with postgres_server() as url:
        database = {"DATABASE_URL": url}
        make_site(_SITE, database)
        with server(_SITE, database) as site:
            yield from lists(site, "PostgreSQL", 40)


def pace() -> Row:
    """How fast this machine is just now, by which figures of different hours can be compared."""
    times = sorted(1000 * seconds(lambda: sum(number for number in range(1_000_000)))
                   for _ in range(9))  # fmt: skip
    note = "to compare hours: shared machines differ by a factor of 2"
    spread = (times[0], times[-1])
    return Row("a million additions", round(median(times), 1), "ms", spread=spread, note=note)


def make_site(folder: Path, environment: dict[str, str] | None = None) -> None:
    """The site, or what is missing of it."""
    command = [sys.executable, "-m", "bench.site", str(folder)]
    subprocess.run(command, check=True, cwd=_ROOT, env={**os.environ, **(environment or {})})


class Site:
    """A server that runs, and one connection to it."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._process = process
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, int]:
        """Status, and bytes that travelled."""
        try:
            return _get(self._connection, path)
        except OSError:  # the server closes what was idle for seconds
            self.close()
            return _get(self._connection, path)

    def close(self) -> None:
        """Let the connection go; the next request opens another."""
        self._connection.close()

    def times(self, paths: Sequence[str]) -> list[float]:
        """Milliseconds from request to last byte, one request after another."""
        found = []
        for path in paths:
            start = time.perf_counter()
            status, _ = self.get(path)
            found.append(1000 * (time.perf_counter() - start))
            assert status < 400, f"{path}: {status}"  # an address typed leads there
        return found

    def cpu(self) -> float:
        """CPU seconds of the server's processes so far."""
        return sum(map(_cpu_seconds, [self._process.pid, *_children(self._process.pid)]))


@contextmanager
def server(folder: Path, environment: dict[str, str] | None = None) -> Iterator[Site]:
    """The production server over a site, warm: one process of four threads."""
    port = free_port()
    bind = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"]
    command = [str(Path(sys.executable).with_name("gunicorn")), "featureviz.wsgi", *bind]
    given = {**os.environ, "FEATUREVIZ_DATA": str(folder), **(environment or {})}
    with TemporaryDirectory() as logs, (Path(logs) / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--no-control-socket"], cwd=_ROOT, env=given, stdout=log, stderr=log
        )
        try:
            yield _warm(Site(port, process))
        finally:
            process.terminate()
            process.wait()


def latents(site: Site) -> Iterator[Row]:
    """Pages of latents: asked for the first time, and warm.

    A neighbour is warm when a reader gets there: browsers fetch next and previous ahead.
    """
    draw = random.Random(0)
    paths = [f"{_TABLE}{draw.randrange(N_LATENTS)}" for _ in range(_LATENTS)]
    yield _timed(site, "latent page, first time, p95", paths, None)
    yield _timed(site, "latent page, p95", paths[-_KEPT_AT_ONCE:] * 3, 25)
    sizes = [site.get(path)[1] / 1000 for path in paths]
    note = f"gzip, examples and effects in it; median {median(sizes):.0f}"
    yield Row("latent page, compressed HTML, largest", round(max(sizes), 1), "kB", 120, note=note)


def lists(site: Site, database: str, limit: float) -> Iterator[Row]:
    """The table by many sorts and filters, and the search."""
    views = [_TABLE + view for view in _VIEWS]
    yield _timed(site, f"table, {database}, first time, p95", views, None)
    yield _timed(site, f"table, {database}, p95", views * _ROUNDS, limit)
    queries = [f"/search?q={quote(query)}" for query in _QUERIES]
    yield _timed(site, f"search, {database}, first time, p95", queries, None)
    yield _timed(site, f"search, {database}, p95", queries * _ROUNDS, limit)


def crowd(site: Site) -> Iterator[Row]:
    """Readers who each ask for the next page as soon as they have the last."""
    done: list[int] = []
    failures: list[str] = []
    stop = time.monotonic() + _READING_SECONDS
    readers = [
        threading.Thread(target=_read, args=(site.port, number, stop, done, failures))
        for number in range(_READERS)
    ]
    start = time.monotonic()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    seconds = time.monotonic() - start
    note = f"{_READERS} readers, nine latents to a table, {os.cpu_count()} cores, theirs included"
    yield Row("requests", round(len(done) / seconds, 1), "1/s", at_most=False, note=note)
    yield Row("errors among them", len(failures), "", 0, note=f"of {len(done)}; {failures[:1]}")


def _read(port: int, number: int, stop: float, done: list[int], failures: list[str]) -> None:
    draw = random.Random(number)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < stop:
        view = draw.choice(_VIEWS) if draw.random() < 0.1 else str(draw.randrange(N_LATENTS))
        try:
            status, _ = _get(connection, _TABLE + view)
            if status != 200:
                failures.append(f"{view}: {status}")
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{view}: {error!r}")
            connection.close()
        done.append(number)


def _timed(site: Site, name: str, paths: Sequence[str], limit: float | None) -> Row:
    """The 95th percentile; the note tells the CPU a page costs, which other work changes less."""
    before = site.cpu()
    times = sorted(site.times(paths))
    spent = 1000 * (site.cpu() - before) / len(times)
    note = (
        f"median {median(times):.1f}; {spent:.1f} ms of CPU a page; load {os.getloadavg()[0]:.1f}"
    )
    value = times[int(0.95 * len(times))]
    return Row(name, round(value, 1), "ms", limit, True, (times[0], times[-1]), note)


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, int]:
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    reply = connection.getresponse()
    return reply.status, len(reply.read())


def _warm(site: Site) -> Site:
    deadline = time.monotonic() + 60
    while True:
        try:
            for path in ("/", _TABLE, f"{_TABLE}?fires=a&promotes=a", *_some_latents()):
                site.get(path)
        except OSError:
            site.close()
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.2)
        else:
            return site


def _some_latents() -> list[str]:
    return [f"{_TABLE}{index}" for index in range(0, 400, 20)]


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
