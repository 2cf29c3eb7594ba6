"""Search on a synthetic but full site: 100,000 latents, 70 examples each, a corpus of 2.5 M tokens.

`python -m bench search` on SQLite; behind `python -m tests.servers postgres --` on PostgreSQL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

from bench.rows import Row

LIMITS = {"SQLite": 60.0, "PostgreSQL": 40.0}  # ms at the 95th percentile


def rows() -> Iterator[Row]:
    """The time of a whole page in the server, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="featureviz-bench-") as folder:
        given = os.environ.get("TEST_DATABASE_URL")
        environment = {**os.environ, "FEATUREVIZ_DATA": folder, "DEBUG": "0",
                       "DJANGO_SETTINGS_MODULE": "featureviz.settings"}  # fmt: skip
        environment |= {"DATABASE_URL": given} if given else {}
        done = subprocess.run([sys.executable, "-m", "bench.searched_site"], env=environment,
                              capture_output=True, check=True, text=True)  # fmt: skip
    database = "PostgreSQL" if given else "SQLite"
    found = json.loads(done.stdout.splitlines()[-1])
    for name, times in found["seconds"].items():
        (middle, most), (_, own) = 1000 * np.percentile(times, [50, 95], axis=0).T
        limit = LIMITS[database] if name == "all" else None
        yield Row(f"search page, {name}, {database}, p95", round(float(most), 1), "ms", limit,
                  note=f"median {middle:.1f} ms; p95 of its own CPU time {own:.1f} ms")  # fmt: skip
    yield Row("words of the corpus, gathered", found["words_seconds"], "s")
    yield Row("what 100,000 latents are found by, written", found["index_seconds"], "s",
              note=f"{found['index_mb']:.0f} MB")  # fmt: skip
