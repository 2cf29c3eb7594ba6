"""A backup is the whole site, and a restored site is the one that was backed up."""

import json
import os
import shutil

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from featureviz.annotate import explanations
from featureviz.annotate.explanations import Signature
from featureviz.annotate.models import Explanation
from featureviz.annotate.record import whole_record
from featureviz.catalog.addresses import find_latent
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(store):
    dictionary = make_run().dictionary
    alice = User.objects.create_user("alice", password="a long password")
    explanations.write(dictionary, 3, "Digits", Signature(alice))
    return store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups" / "monday"


def gone(store) -> None:
    """The machine burnt down."""
    call_command("flush", interactive=False, verbosity=0)
    shutil.rmtree(store)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("options", [[], ["--copy"]])
def test_a_restored_site_is_the_one_that_was(site, folder, options):
    before, record = files(site), whole_record(find_latent("demo", "sae", 3))
    call_command("backup", str(folder), *options)
    gone(site)
    assert not User.objects.exists()
    call_command("restore", str(folder), *options)
    assert files(site) == before
    assert whole_record(find_latent("demo", "sae", 3)) == record
    assert Explanation.objects.get().text == "Digits"
    assert User.objects.get().check_password("a long password")


def test_a_restored_site_goes_on(site, folder):
    call_command("backup", str(folder))
    gone(site)
    call_command("restore", str(folder))
    call_command("migrate", verbosity=0)
    bob = User.objects.create_user("bob")
    said = explanations.write(Explanation.objects.get().dictionary, 3, "Dates", Signature(bob))
    assert Explanation.objects.count() == 2
    assert said.pk != Explanation.objects.exclude(pk=said.pk).get().pk


def test_files_are_linked_where_they_can_be_and_copied_where_asked(site, folder, tmp_path):
    call_command("backup", str(folder))
    call_command("backup", str(tmp_path / "copied"), "--copy")
    name = next(iter(files(site)))
    assert os.path.samefile(site / name, folder / "store" / name)
    assert not os.path.samefile(site / name, tmp_path / "copied" / "store" / name)


def test_what_is_being_written_is_no_part_of_it(site, folder):
    (site / "runs" / ".00000.pack.77.part").write_bytes(b"half")
    call_command("backup", str(folder))
    assert not [name for name in files(folder) if "part" in name]


def test_it_is_for_its_owner_alone(site, folder):
    call_command("backup", str(folder))
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_with_something_in_it_is_refused(site, folder):
    call_command("backup", str(folder))
    with pytest.raises(CommandError, match="is not empty"):
        call_command("backup", str(folder))


def test_a_folder_in_the_store_is_refused(site):
    with pytest.raises(CommandError, match="part of the store"):
        call_command("backup", str(site / "backups"))


def test_a_site_that_is_not_empty_is_not_overwritten(site, folder):
    call_command("backup", str(folder))
    with pytest.raises(CommandError, match="database is not empty"):
        call_command("restore", str(folder))
    call_command("flush", interactive=False, verbosity=0)
    with pytest.raises(CommandError, match="is not empty"):
        call_command("restore", str(folder))
    assert files(site)


@pytest.mark.parametrize("harm", ["changed", "cut", "missing"])
@pytest.mark.parametrize("what", ["database.*", "store/corpora/*/tokens.npy"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(site, folder, harm, what):
    call_command("backup", str(folder), "--copy")
    gone(site)
    path = next(folder.glob(what))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    match harm:
        case "changed":
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[:-1])
        case "missing":
            path.unlink()
    with pytest.raises(CommandError, match="damaged or missing"):
        call_command("restore", str(folder))
    assert not User.objects.exists()
    assert not site.exists()


def edited(folder, **fields) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda names: [*names, "catalog.9999_later"], r"later version.*catalog\.9999_later"),
        (lambda names: names[1:], "earlier version"),
    ],
)
def test_the_schema_of_another_version_is_refused_in_words(site, folder, change, why):
    call_command("backup", str(folder))
    gone(site)
    names = json.loads((folder / "manifest.json").read_text())["schema"]
    edited(folder, schema=change(names))
    with pytest.raises(CommandError, match=why):
        call_command("restore", str(folder))


def test_the_other_database_is_refused_with_the_way_to_move(site, folder):
    call_command("backup", str(folder))
    gone(site)
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[connection.vendor]
    edited(folder, database=other)
    with pytest.raises(CommandError, match=r"manage\.py archive"):
        call_command("restore", str(folder))


def test_a_backup_that_was_cut_off_is_refused(site, folder):
    call_command("backup", str(folder))
    (folder / "manifest.json").unlink()
    with pytest.raises(CommandError, match="no whole backup"):
        call_command("restore", str(folder))


def test_a_manifest_leads_nowhere_else(site, folder):
    call_command("backup", str(folder))
    gone(site)
    edited(folder, files={"store/../../secret": {"size": 0, "sha256": "0"}})
    with pytest.raises(CommandError, match="outside of the backup"):
        call_command("restore", str(folder))
