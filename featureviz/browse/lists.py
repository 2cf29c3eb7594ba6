"""A list of latents as a page, as CSV, as JSON; and what a latent is tagged and listed as."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from featureviz.annotate.markdown import plain
from featureviz.annotate.models import (
    Explanation,
    LatentList,
    ListEntry,
    Tag,
    pinned_for,
)
from featureviz.annotate.roles import may, role_at, role_in
from featureviz.annotate.traces import Traces
from featureviz.catalog.models import Latent, Workspace
from featureviz.catalog.permissions import Action, Kind, Role, allows
from featureviz.catalog.reading import reader

COLUMNS = ("place", "address", "note", "explanation", "explained_by", "added_by", "added_at")


@dataclass(frozen=True, slots=True)
class Line:
    """A latent of a list."""

    place: int
    entry: ListEntry
    pinned: Explanation | None

    @property
    def title(self) -> str:
        """What is said of it."""
        return plain(self.pinned.text) if self.pinned else ""

    def record(self) -> dict[str, object]:
        """For exports, by the names of COLUMNS."""
        values = (
            self.place,
            str(self.entry),
            self.entry.note,
            self.pinned.text if self.pinned else "",
            self.pinned.signature if self.pinned else "",
            self.entry.added_by.get_username(),
            self.entry.added_at.isoformat(),
        )
        return dict(zip(COLUMNS, values, strict=True))


def lines(of: LatentList) -> list[Line]:
    """The latents of a list that its reader may see, in order."""
    rows = of.entries.readable(reader().user).select_related("dictionary__model", "added_by")
    entries = list(rows)
    by_dictionary = sorted(entries, key=lambda each: each.dictionary_id)
    pinned = {
        (dictionary.pk, index): found
        for dictionary, group in groupby(by_dictionary, key=lambda each: each.dictionary)
        for index, found in pinned_for(dictionary, [each.index for each in group]).items()
    }
    return [
        Line(place, entry, pinned.get((entry.dictionary_id, entry.index)))
        for place, entry in enumerate(entries, 1)
    ]


def as_csv(found: list[Line]) -> str:
    """One row a latent; what a spreadsheet would take for a formula is marked as text."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS)
    writer.writeheader()
    writer.writerows({key: _text(at) for key, at in each.record().items()} for each in found)
    return written.getvalue()


def as_json(of: LatentList, found: list[Line]) -> dict[str, object]:
    """The list with its latents."""
    return {
        "name": of.name,
        "owner": of.owner.get_username(),
        "workspace": of.workspace.slug if of.workspace else None,
        "latents": [each.record() for each in found],
    }


def writable_workspaces() -> Iterator[Workspace]:
    """Where the reader may keep a list."""
    return (each for each in Workspace.objects.reachable() if _may_list(each))


@dataclass(frozen=True)
class MarksPanel:
    """The tags of a latent, and what its reader made of it."""

    latent: Latent
    traces: Traces

    @cached_property
    def tags(self) -> list[Tag]:
        """The words on it."""
        if not self.traces.tags:
            return []
        return list(
            Tag.objects.filter(
                dictionary=self.latent.run.dictionary, index=self.latent.index, removed_at=None
            )
        )

    @cached_property
    def is_signed_in(self) -> bool:
        """Whether there is somebody to star and list it."""
        user = reader().user
        return user is not None and user.is_authenticated

    @property
    def may_tag(self) -> bool:
        """Whether the reader may put words on it."""
        role = role_at(self.latent.run.dictionary, self.latent.index, reader())
        return self.is_signed_in and allows(role, Action.TAG, Kind.LATENT)

    @property
    def may_rate(self) -> bool:
        """Whether the reader may rate it by the rubric."""
        return self.is_signed_in and may(Action.RATE, self.latent.run.dictionary.workspace)

    @property
    def is_starred(self) -> bool:
        """Whether the reader starred it."""
        return self.traces.star

    @cached_property
    def lists(self) -> list[LatentList]:
        """Those the reader may put it into."""
        if not self.traces.lists:
            return []
        readable = LatentList.objects.readable(reader().user).select_related("workspace")
        return [each for each in readable if may(Action.EDIT, each)]


def _may_list(workspace: Workspace) -> bool:
    return role_in(workspace, reader()) >= Role.ANNOTATOR


def _text(value: object) -> object:
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value
