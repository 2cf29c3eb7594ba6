"""The latents of a view as a file: all its rows, in its order, written while they are read.

Without chosen columns all statistics are written. Every column's name ends with its unit.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from featureviz.browse.table.cells import Column, every_column, strongest
from featureviz.browse.table.explained import lines
from featureviz.browse.table.page import in_order
from featureviz.browse.table.selection import Selection
from featureviz.browse.table.view import View
from featureviz.catalog.models import Latent, Run

_BATCH = 500  # rows read at once
_GROUP = 20  # batches in one row group of Parquet
_FORMULA = tuple("=+-@\t\r")  # a cell of text that begins so is one to a spreadsheet
_LISTS = ("fires", "promotes")


@dataclass(frozen=True, slots=True)
class Written:
    """A column of a file."""

    name: str  # with its unit: `density [share of tokens]`
    kind: str  # whole, number, text, texts
    of: Callable[[Latent], Any]  # its value; None where there is none


@dataclass(frozen=True)
class Export:
    """What is written of a view of a run."""

    run: Run
    view: View

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return f"{self.run.dictionary.model.name}-{self.run.dictionary.name}-latents"

    @cached_property
    def columns(self) -> list[Written]:
        """The chosen ones in the table's order, else all."""
        chosen = self.view.cols
        known = [
            column
            for column in every_column(self.run)
            if not chosen or column.name in chosen or column.name == "index"
        ]
        return [written for column in known for written in self._written(column)]

    def batches(self) -> Iterator[list[list[Any]]]:
        """Rows of values, some hundred at a time."""
        indices = Selection.of(self.run, self.view).indices
        for start in range(0, len(indices), _BATCH):
            latents = in_order(self.run, indices[start : start + _BATCH].tolist())
            said = lines(self.run.dictionary, [latent.index for latent in latents])
            for latent in latents:
                latent.said = said.get(latent.index)  # type: ignore[attr-defined]
            yield [[column.of(latent) for column in self.columns] for latent in latents]

    def _written(self, column: Column) -> list[Written]:
        statistic = column.statistic
        if statistic is not None:
            kind = "whole" if statistic.kind in ("index", "count") else "number"
            name = f"{column.name} [{statistic.unit}]" if statistic.unit else column.name
            return [Written(name, kind, lambda latent: statistic.of(latent, self.run))]
        if column.name == "histogram":
            return [Written("histogram [log height, 0-255]", "whole-list", _bars)]
        if column.name in _LISTS:
            return [Written(f"{column.name} [tokens]", "texts", _LIST_OF[column.name])]
        return [
            Written("explanation", "text", lambda latent: getattr(latent, "said", None)),
            Written("strongest context [⟦peak⟧]", "text", self._context),
            Written("context", "whole", lambda latent: latent.top_context),
            Written("position", "whole", lambda latent: latent.top_position),
        ]

    def _context(self, latent: Latent) -> str | None:
        found = strongest(self.run, latent)
        return str(found) if found else None


def as_csv(export: Export) -> Iterator[str]:
    """Comma-separated values in UTF-8, a heading first; lists as JSON."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    writer.writerow([column.name for column in export.columns])
    for batch in export.batches():
        writer.writerows([_plain(value) for value in row] for row in batch)
        yield _taken(line)
    yield _taken(line)


def as_parquet(export: Export) -> Iterator[bytes]:
    """Apache Parquet, written group by group; the fields are typed and say what they mean."""
    import pyarrow as pa  # noqa: PLC0415 - a hundred megabytes that pages have no need of
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {
        "whole": pa.int64(),
        "number": pa.float64(),
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "whole-list": pa.list_(pa.uint8()),
    }
    schema = pa.schema([(column.name, types[column.kind]) for column in export.columns])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for rows in _grouped(export.batches()):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that hands on what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """What was written since this was last asked."""
        found, self._parts = b"".join(self._parts), []
        return found


_LIST_OF: dict[str, Callable[[Latent], list[str]]] = {
    "fires": lambda latent: latent.fires_on or list(filter(None, [latent.top_token])),
    "promotes": lambda latent: latent.promotes or list(filter(None, [latent.promoted_token])),
}


def _bars(latent: Latent) -> list[int]:
    return list(bytes(latent.shape))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _taken(line: io.StringIO) -> str:
    found = line.getvalue()
    line.seek(0)
    line.truncate()
    return found


def _grouped(batches: Iterator[list[list[Any]]]) -> Iterator[list[list[Any]]]:
    while rows := [row for batch in islice(batches, _GROUP) for row in batch]:
        yield rows
