"""What a person can set or run is written down, and what is written down exists."""

import re
import subprocess

import pytest

from tests.environment import ROOT, settings_variables

OPERATE = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
CONTRIBUTE = (ROOT / "docs/contribute.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, flags=re.MULTILINE)


def test_the_settings_are_found_at_all():
    assert {"FEATUREVIZ_DATA", "DATABASE_URL"} <= set(settings_variables())


def test_the_table_of_settings_names_just_those_that_are_read():
    table = re.findall(r"^\| `([A-Z_]+)` \|", OPERATE, flags=re.MULTILINE)
    assert sorted(table) == settings_variables()


def test_make_help_lists_every_target_a_person_calls():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"make ([a-z-]+)", listed.stdout)) == set(TARGETS) - {"system-packages"}


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"help", "system-packages"}))
def test_every_target_is_explained(target):
    assert f"`make {target}`" in CONTRIBUTE


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_targets_named_in_the_documents_exist(document):
    named = re.findall(r"`make ([a-z-]+)", document.read_text(encoding="utf-8"))
    assert set(named) <= set(TARGETS)
