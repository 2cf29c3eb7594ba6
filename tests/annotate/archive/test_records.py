"""The format that is written down is the one that is read."""

import re
from typing import get_args

import msgspec
import pytest

from featureviz.annotate.archive import records
from tests.environment import ROOT

DOCUMENT = (ROOT / "docs/archive.md").read_text(encoding="utf-8")
LINES = {str(each.__struct_config__.tag): each for each in get_args(records.AnyLine)}


def sections() -> dict[str, str]:
    parts = re.split(r"^### `(\w+)`$", DOCUMENT, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_kind_of_line_has_its_section():
    assert list(sections()) == list(LINES)


@pytest.mark.parametrize("kind", LINES)
def test_the_table_of_a_kind_names_just_its_fields(kind):
    rows = re.findall(r"^\| (`.*?`) \|", sections()[kind], flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert named == [field.name for field in msgspec.structs.fields(LINES[kind])]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (records.Member, "workspace"),
        (records.ListEntryPart, "list"),
        (records.Version, "explanation"),
        (records.Vote, "explanation"),
        (records.Target, "share"),
        (records.RatedLatentPart, "session"),
        (records.RatingPart, "session"),
    ],
)
def test_the_fields_of_what_stands_inside_are_named_in_its_row(part, kind):
    names = {field.name for field in msgspec.structs.fields(part)}
    rows = re.findall(r"^\|.*\|$", sections()[kind], flags=re.MULTILINE)
    assert any(names <= set(re.findall(r"`(\w+)`", row.split("|", 2)[2])) for row in rows)


def test_the_version_is_written_down():
    assert f"| `format` | `{records.FORMAT}` |" in DOCUMENT
    assert f"| `version` | `{records.VERSION}` |" in DOCUMENT
