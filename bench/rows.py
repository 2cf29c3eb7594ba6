"""A measured figure, how it is taken, and where it is kept."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One figure; `ok` compares it with its limit, when it has one."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_most: bool = True  # else at least
    spread: tuple[float, float] | None = None  # smallest and largest of the repeats
    note: str = ""

    @property
    def ok(self) -> bool:
        """Within its limit."""
        if self.limit is None:
            return True
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(name: str, pairs: Iterable[tuple[float, float]], limit: float | None, note: str) -> Row:
    """The median of measured / reference over interleaved repeats."""
    found = sorted(measured / reference for measured, reference in pairs)
    return Row(name, round(median(found), 3), "ratio", limit, True, (found[0], found[-1]), note)


def machine() -> str:
    """Where the figures were taken."""
    cpu = next(
        (line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")),
        platform.processor(),
    )
    return f"{cpu}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """With what."""
    packages = ("torch", "transformer_lens", "numpy", "numba", "django")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def write(suite: str, rows: Iterable[Row], path: Path, also: Mapping[str, str] = {}) -> None:
    """Put a suite's figures in the place of its last ones; `also` belongs to the versions."""
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    circumstances = {
        "taken": datetime.now(UTC).date().isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "machine": machine(),
        "versions": {**versions(), **also},
    }
    kept = [row for row in before if row["suite"] != suite]
    kept += [
        {"suite": suite, **msgspec.to_builtins(row), "ok": row.ok, **circumstances} for row in rows
    ]
    path.write_text(json.dumps({"rows": kept}, indent=1) + "\n")


def table_line(row: Row) -> str:
    """One row as Markdown."""
    sign = "≤" if row.at_most else "≥"
    limit = "" if row.limit is None else f"{sign} {row.limit:g}"
    spread = "" if row.spread is None else f"{row.spread[0]:.3g}-{row.spread[1]:.3g}"
    verdict = "ok" if row.ok else "**missed**"
    return (
        f"| {row.name} | {row.value:g} {row.unit} | {spread} | {limit} | {verdict} | {row.note} |"
    )


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
