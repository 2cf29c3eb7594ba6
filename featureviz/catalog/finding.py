"""What the latents of a run are found by: gathered anew, or opened for a search."""

from functools import lru_cache
from pathlib import Path

from featureviz.catalog.models import Run
from featureviz.dashboards.finding import Gathering, RunIndex

_FOLDER = "finding"


def gather(run: Run) -> None:
    """Read all dashboards of a run again and keep what its latents are found by.

    Raises: StoreError when a pack is missing or damaged; nothing has changed then.
    """
    gathering = Gathering()
    for index in range(run.dictionary.d_sae):
        gathering.add(run.dashboard(index))
    gathering.write(run.folder, run.corpus.stored, replace=True)


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
