"""`python -m bench [name …]`: measure, print a table, write bench/results.json."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench import ablation, engine, forward, growth, maps, pages
from bench.rows import Row, table_line, write

_SUITES: dict[str, Callable[[], Iterable[Row]]] = {
    "engine": engine.rows,
    "forward": forward.rows,
    "growth": growth.rows,
    "ablation": ablation.rows,
    "map": maps.rows,
    "pages": pages.rows,
}


def main(names: list[str]) -> int:
    """Run the suites named, or all; 1 when a figure missed its limit."""
    is_ok = True
    for name in names or list(_SUITES):
        found = list(_told(_SUITES[name]()))
        write(name, found, Path(__file__).with_name("results.json"))
        is_ok &= all(row.ok for row in found)
    return 0 if is_ok else 1


def _told(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        print(table_line(row), flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
