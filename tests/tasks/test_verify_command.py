"""`manage.py verify`: from an address to a verdict and an exit code."""

import pytest
from django.core.management import CommandError, call_command
from msgspec.structs import replace

from featureviz.catalog.models import Run
from featureviz.dashboards.store import read_dashboard, write_pack
from tests.engine.conftest import (  # noqa: F401 - fixtures
    byte_tokenizer,
    dictionary_folder,
    model_folder,
    text_file,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(store, model_folder, dictionary_folder, text_file):  # noqa: F811
    """A published run of the tiny model."""
    places = {"model": model_folder, "dictionary": dictionary_folder, "corpus": text_file}
    call_command("precompute", **{name: str(place) for name, place in places.items()})
    return Run.objects.get()


def verify(capsys, *arguments):
    call_command("verify", *arguments)
    return capsys.readouterr().out


def test_a_sound_run_agrees(run, capsys):
    said = verify(capsys, "tiny/random", "--sample", "6")
    assert "6 latents" in said
    assert "numbers agree." in said
    assert "DIFFER" not in said


def test_one_latent_may_be_named(run, capsys):
    assert "1 latents" in verify(capsys, "tiny/random/7")


def test_a_wrong_number_ends_with_1_and_a_table(run, capsys):
    pack = run.folder / "blocks" / "00000.pack"
    pages = [read_dashboard(pack, index) for index in range(run.dictionary.d_sae)]
    pages[7] = replace(pages[7], n_active=pages[7].n_active + 30)
    write_pack(pack, pages)
    with pytest.raises(CommandError, match=r"1 of .* numbers differ") as failure:
        verify(capsys, "tiny/random/7")
    assert failure.value.returncode == 1
    assert f"{pages[7].n_active}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nothing/here"], "no dictionary at 'nothing/here'"),
        (["tiny/random/96"], "it has 0 to 95"),
        (["tiny/random", "--sample", "0"], "expected 1 or more"),
    ],
)
def test_a_bad_request_ends_with_2(run, arguments, problem):
    with pytest.raises(CommandError, match=problem) as failure:
        call_command("verify", *arguments)
    assert failure.value.returncode == 2


def test_both_ends_of_a_baseline_agree(store, model_folder, text_file, capsys):  # noqa: F811
    call_command(
        "precompute",
        model=str(model_folder),
        dictionary="random",
        hook="blocks.1.hook_resid_pre",
        corpus=str(text_file),
    )
    name = str(Run.objects.get().dictionary)
    assert "numbers agree." in verify(capsys, name, "--sample", "3")


def test_a_run_without_a_health_record_is_verified_all_the_same(run, capsys):
    (run.folder / "health.json").unlink()
    call_command("verify", "tiny/random/7")
    said = capsys.readouterr()
    assert "numbers agree." in said.out
    assert "no readable health record" in said.err
