"""What the latents of a run are found by, opened for a search."""

from functools import lru_cache
from pathlib import Path

from featureviz.catalog.models import Run
from featureviz.dashboards.finding import RunIndex

_FOLDER = "finding"


def opened(run: Run) -> RunIndex | None:
    """The index of a run, kept open; none where it was published before there were any."""
    try:
        written = (run.folder / _FOLDER).stat().st_mtime_ns
    except OSError:
        return None
    return _opened(run.folder, run.corpus.stored.folder, written)


@lru_cache(maxsize=64)
def _opened(folder: Path, corpus: Path, written: int) -> RunIndex | None:
    return RunIndex.of(folder, corpus)
