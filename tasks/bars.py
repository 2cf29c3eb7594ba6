"""Progress for people: a bar on a terminal, a line now and then elsewhere."""

from time import monotonic
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

from featureviz.catalog.runs import Progress

LOOK_SECONDS = 0.3  # between two looks at the database
LINE_SECONDS = 10.0  # between two lines where no bar can be drawn


def rate_and_time_left(progress: Progress) -> str:
    """For instance '1,204 contexts/s, 0:42 left'; empty before it can be told."""
    if not progress.rate or progress.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f"{progress.rate:,.0f} {progress.unit}/s, {minutes}:{seconds:02d} left"


class Bar:
    """Shows the progress of one run after another on `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._rich.add_task("", total=None, rate="")
        self._stage = ""
        self._last_line = 0.0

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._rich.stop()

    def show(self, title: str, progress: Progress) -> None:
        """Bring the bar up to date; `title` says which run it is."""
        description = f"{title}: {progress.stage}"
        rate = rate_and_time_left(progress)
        self._rich.update(
            self._task,
            description=description,
            completed=progress.done,
            total=progress.total,
            rate=rate,
        )
        if self._rich.disable:
            self._line(description, progress, rate)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _line(self, description: str, progress: Progress, rate: str) -> None:
        if description == self._stage and monotonic() - self._last_line < LINE_SECONDS:
            return
        self._stage, self._last_line = description, monotonic()
        count = f"{progress.done:,} of {progress.total:,} {progress.unit}"
        self.say(", ".join(filter(None, [f"{description}: {count}", rate])))
