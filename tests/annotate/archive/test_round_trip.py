"""What was exported is imported whole, once, on either database."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from featureviz.annotate import comments, explanations, lists
from featureviz.annotate.archive.reading import ArchiveError, import_file, import_lines
from featureviz.annotate.archive.writing import export
from featureviz.annotate.explanations import Signature
from featureviz.annotate.models import Explanation, LatentLink, ShareLink
from featureviz.catalog.models import Dictionary, Workspace
from tests.annotate.archive.written import archived, forget_everything, write_of_everything
from tests.environment import ROOT
from tests.factories import make_run
from tests.servers import postgres_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def dictionary(store):
    return make_run().dictionary


@pytest.fixture
def site(dictionary, people):
    write_of_everything(dictionary, people)
    return dictionary


def changed(line: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(line) | fields).encode()


def of_kind(lines: list[bytes], kind: str) -> list[bytes]:
    return [line for line in lines if json.loads(line)["kind"] == kind]


def test_every_kind_of_line_is_in_the_trip(site):
    counts = [json.loads(line)["kind"] for line in archived()]
    assert {kind: counts.count(kind) for kind in dict.fromkeys(counts)} == {
        "archive": 1, "user": 5, "workspace": 2, "dictionary": 1, "list": 2,
        "explanation": 3, "comment": 3, "tag": 2, "star": 1, "share": 3, "session": 1,
    }  # fmt: skip


def test_what_was_forgotten_comes_back_byte_for_byte(site):
    before = archived()
    forget_everything()
    assert len(archived()) < 4
    import_lines(before)
    assert archived() == before


def test_to_import_twice_changes_nothing(site):
    before = archived()
    forget_everything()
    import_lines(before)
    again = import_lines(before)
    assert archived() == before
    assert not again.added
    assert not again.differing


def test_what_a_text_names_is_linked_again(site):
    before = archived()
    forget_everything()
    import_lines(before)
    assert set(LatentLink.objects.values_list("index", flat=True)) == {2, 5}


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_the_other_database_writes_the_same_archive(site, tmp_path, to):
    """Whatever this test itself runs on."""
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    export(here)
    elsewhere = tmp_path / "elsewhere"
    sqlite = nullcontext(f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}")
    with postgres_server() if to == "postgres" else sqlite as url:
        environment = {**os.environ, "DATABASE_URL": url, "FEATUREVIZ_DATA": str(elsewhere)}
        command = [sys.executable, "-m", "tests.annotate.archive.elsewhere", here, there]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert compared(there) == compared(here)


def compared(path: Path) -> list[bytes]:
    """The lines of an archive; the workspace that every site makes for itself keeps its time."""
    lines = path.read_bytes().splitlines()
    return [changed(each, created_at=0) if b'"slug":"public"' in each else each for each in lines]


def test_a_person_who_is_new_has_no_password_and_may_do_nothing_more(site):
    User.objects.filter(username="alice").update(is_superuser=True, email="a@example.org")
    before = archived()
    assert b"@example.org" not in b"".join(before)
    assert b"password" not in b"".join(of_kind(before, "user"))
    forget_everything()
    import_lines(before)
    alice = User.objects.get(username="alice")
    assert not alice.has_usable_password()
    assert not alice.is_superuser


def test_e_mail_is_written_when_asked_for(site, tmp_path):
    User.objects.filter(username="alice").update(email="a@example.org")
    call_command("archive", "export", str(tmp_path / "all.jsonl"), "--with-email")
    forget_everything()
    import_file(tmp_path / "all.jsonl")
    assert User.objects.get(username="alice").email == "a@example.org"


def test_no_secret_of_a_link_is_written_and_none_opens_what_had_a_password(site):
    before = archived()
    written = b"".join(before).decode()
    secrets = [*ShareLink.objects.values_list("token", flat=True)]
    secrets += Workspace.objects.values_list("token", flat=True)
    assert not [token for token in secrets if token in written]
    assert "md5" not in written
    forget_everything()
    import_lines(before)
    from featureviz.annotate import shares

    link = ShareLink.objects.get(scope="comment")
    assert link.token not in secrets
    assert not shares.opens(link, "")
    assert not shares.opens(link, "word")


def test_a_dictionary_returns_to_the_workspace_it_was_private_in(site):
    before = archived()
    forget_everything()
    assert Dictionary.objects.get().workspace.visibility == "public"
    import_lines(before)
    assert Dictionary.objects.get().workspace.visibility == "private"


def test_a_dictionary_that_was_put_elsewhere_stays_there(site, people):
    before = archived()
    from featureviz.annotate import workspaces

    own = workspaces.create("Own", people["alice"])
    workspaces.move(site, own)
    import_lines(before)
    assert Dictionary.objects.get().workspace == own


def test_later_versions_are_added_to_the_text_that_is_here(site, people):
    said = Explanation.objects.get(text__startswith="Digits")
    explanations.edit(said, "Dates", Signature(people["bob"]), version=2)
    later = archived()
    said.versions.get(number=3).delete()
    Explanation.objects.filter(pk=said.pk).update(text="Digits\nin *dates* @demo/sae/2", version=2)
    import_lines(later)
    said.refresh_from_db()
    assert (said.text, said.version) == ("Dates", 3)


def test_a_text_that_was_edited_on_both_sides_keeps_what_it_is_here(site, people):
    before = archived()
    line = of_kind(before, "explanation")[0]
    versions = json.loads(line)["versions"]
    versions[1]["text"] = "Theirs"
    found = import_lines(
        [changed(each, versions=versions) if each is line else each for each in before]
    )
    assert found.differing == ["demo/sae/3"]
    assert archived() == before


def test_pins_here_stay(site, people):
    before = archived()
    forget_everything()
    own = explanations.write(Dictionary.objects.get(), 3, "Ours", Signature(model_name="m"))
    import_lines(before)
    assert Explanation.objects.get(is_pinned=True, index=3) == own


def test_dictionaries_that_are_not_here_stop_the_import(site):
    before = archived()
    forget_everything()
    empty = archived()
    Dictionary.objects.update(digest="d" * 64)
    with pytest.raises(ArchiveError, match=r"demo/sae has other weights here"):
        import_lines(before)
    assert archived() == empty


def test_dictionaries_that_are_not_here_are_left_out_by_a_switch(site):
    before = archived()
    forget_everything()
    Dictionary.objects.update(name="other")
    found = import_lines(before, skip_unknown=True)
    assert found.unknown == {"demo/sae": "is not here"}
    assert (found.skipped["explanation"], found.skipped["list entry"]) == (3, 2)
    assert found.added["list"] == 2
    assert not Explanation.objects.exists()


WRONG = [
    ("archive", {"version": 2}, "this is featureviz-archive version 2"),
    ("user", {"name": "two words"}, "name"),
    ("user", {"password": "x"}, "password"),
    ("workspace", {"members": [{"user": "nemo", "role": "owner", "since": "2026-01-01T00:00:00Z"}]},
     "nobody is called 'nemo'"),
    ("dictionary", {"workspace": "nowhere"}, "no workspace is at 'nowhere'"),
    ("list", {"owner": "nemo"}, "nobody is called"),
    ("explanation", {"latent": "demo/sae/8"}, "demo/sae ends at latent 7"),
    ("explanation", {"latent": "demo/none/1"}, "no line before it is of kind dictionary"),
    ("explanation", {"versions": []}, "versions"),
    ("explanation", {"author": None, "model": None}, "signed by"),
    ("explanation", {"created_at": "2026-01-01T00:00:00"}, "created_at"),
    ("comment", {"token": 1, "place": ""}, "`place` is missing"),
    ("comment", {"thread": "00000000-0000-4000-8000-000000000000"}, "does not begin before it"),
    ("comment", {"text": "a\0b"}, "text"),
    ("tag", {"name": "x" * 41}, "name"),
    ("share", {"address": "//elsewhere.example"}, "address"),
    ("share", {"targets": [{}]}, "a target is"),
    ("share", {"kind": "rating"}, "rating"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "why"), WRONG)
def test_a_wrong_line_is_refused_by_its_number_and_nothing_is_imported(site, kind, fields, why):
    lines = archived()
    number = next(at for at, line in enumerate(lines) if json.loads(line)["kind"] == kind)
    lines[number] = changed(lines[number], **fields)
    forget_everything()
    before = archived()
    with pytest.raises(ArchiveError, match=rf"^Line {number + 1}: .*{why}"):
        import_lines(lines)
    assert archived() == before


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\xff\xfe\n", "Line 1"),
        (b'{"kind": "user"}\n', "Line 1"),
        (b"[" * 100_000, "Line 1"),
        (b'{"kind":"archive","format":"featureviz-archive","version":1}\nnull\n', "Line 2"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, content, why):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=why):
        call_command("archive", "import", str(path))


def test_the_command_says_what_it_did(site, tmp_path, capsys):
    path = str(tmp_path / "all.jsonl")
    call_command("archive", "export", path)
    call_command("archive", "import", path)
    said = capsys.readouterr().out
    assert "24 lines written" in said
    assert "Added: nothing." in said


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
spoken = st.tuples(texts, moments)


@bounded(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(spoken, min_size=1, max_size=4), st.lists(spoken, max_size=3), st.booleans())
def test_whatever_was_written_whenever_comes_back(dictionary, said, talk, stands):
    alice, _ = User.objects.get_or_create(username="alice")
    first = explanations.write(dictionary, 3, "First", Signature(alice))
    for number, (text, moment) in enumerate(said, 2):
        Explanation.objects.filter(pk=first.pk).update(
            text=text, version=number, edited_at=moment, created_at=moment
        )
        first.versions.create(number=number, text=text, author=alice)
        first.versions.filter(number=number).update(created_at=moment)
    for text, moment in talk:
        kept = comments.write(comments.Place(dictionary, 2), "Words", alice)
        type(kept).objects.filter(pk=kept.pk).update(text=text, created_at=moment)
    if not stands:
        explanations.withdraw(first)
    lists.star(dictionary, 3, alice, is_on=True)
    before = archived()
    forget_everything()
    import_lines(before)
    assert archived() == before
    msgspec.json.decode(before[-1])
    forget_everything()
