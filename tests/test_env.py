"""Settings from the environment: taken as meant, or refused by name."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from featureviz import env

NAME = "FEATUREVIZ_TRIAL"


@pytest.mark.parametrize("written", ["1", "true", "YES", " on "])
def test_a_flag_is_on_however_yes_is_written(monkeypatch, written):
    monkeypatch.setenv(NAME, written)
    assert env.flag(NAME, default=False) is True


@pytest.mark.parametrize("written", ["0", "False", "no", "OFF"])
def test_a_flag_is_off_however_no_is_written(monkeypatch, written):
    monkeypatch.setenv(NAME, written)
    assert env.flag(NAME, default=True) is False


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("written", [None, "", "  "])
def test_an_unset_or_blank_flag_is_its_default(monkeypatch, written, default):
    _set(monkeypatch, written)
    assert env.flag(NAME, default) is default


@pytest.mark.parametrize("written", ["ture", "2", "-1", "yes no"])
def test_a_misspelt_flag_is_refused_by_name(monkeypatch, written):
    monkeypatch.setenv(NAME, written)
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is .*expected yes or no"):
        env.flag(NAME, default=True)


@pytest.mark.parametrize(("written", "number"), [("8", 8), (" 64 ", 64), (None, 3), ("", 3)])
def test_a_whole_number_is_read_or_its_default(monkeypatch, written, number):
    _set(monkeypatch, written)
    assert env.whole_number(NAME, 3, at_least=1) == number


@pytest.mark.parametrize("written", ["0", "-4", "2.5", "1e3", "eight", "²", "1_000"])
def test_anything_but_a_large_enough_whole_number_is_refused(monkeypatch, written):
    monkeypatch.setenv(NAME, written)
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is .*whole number, 1 or more"):
        env.whole_number(NAME, 3, at_least=1)


def test_a_folder_is_made_with_its_parents(monkeypatch, tmp_path):
    monkeypatch.setenv(NAME, str(tmp_path / "a" / "b"))
    assert env.folder(NAME, Path("/nowhere")).is_dir()


def test_a_folder_defaults_and_a_home_is_understood(monkeypatch, tmp_path):
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert env.folder(NAME, Path("~/data")) == (tmp_path / "data").resolve()


def test_a_folder_that_cannot_be_made_is_refused_by_name(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(NAME, str(tmp_path / "file" / "data"))
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}: cannot make the folder"):
        env.folder(NAME, tmp_path)


def test_text_is_stripped_and_blank_means_unset(monkeypatch):
    monkeypatch.setenv(NAME, "  redis://host  ")
    assert env.text(NAME, "default") == "redis://host"
    monkeypatch.setenv(NAME, "  ")
    assert env.text(NAME, "default") == "default"


def test_words_are_split_at_commas_and_blanks_left_out(monkeypatch):
    monkeypatch.setenv(NAME, "a.example, ,b.example,")
    assert env.words(NAME, ["c"]) == ["a.example", "b.example"]
    monkeypatch.setenv(NAME, " , ")
    assert env.words(NAME, ["c"]) == ["c"]


def _set(monkeypatch: pytest.MonkeyPatch, written: str | None) -> None:
    if written is None:
        monkeypatch.delenv(NAME, raising=False)
    else:
        monkeypatch.setenv(NAME, written)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", ""),
        ("https://latents.example.org", "https://latents.example.org/"),
        ("http://10.0.0.4:8000/", "http://10.0.0.4:8000/"),
    ],
)
def test_the_address_of_the_site_ends_in_a_slash(monkeypatch, given, address):
    monkeypatch.setenv("SITE", given)
    assert env.address("SITE") == address


@pytest.mark.parametrize("given", ["latents.example.org", "https://x.org/path", "https://x; y"])
def test_what_is_no_address_of_a_site_stops_the_start(monkeypatch, given):
    monkeypatch.setenv("SITE", given)
    with pytest.raises(ImproperlyConfigured, match="SITE is"):
        env.address("SITE")


@pytest.mark.parametrize(
    ("given", "sites"),
    [
        ("", ["*"]),
        ("none", ["none"]),
        ("https://one.org, https://*.two.org:8443", ["https://one.org", "https://*.two.org:8443"]),
    ],
)
def test_who_may_frame_is_all_none_or_a_list(monkeypatch, given, sites):
    monkeypatch.setenv("SITES", given)
    assert env.ancestors("SITES", "*") == sites


@pytest.mark.parametrize(
    "given", ["*, https://one.org", "one.org", "https://one.org; script-src *"]
)
def test_a_policy_cannot_be_slipped_in_among_the_sites(monkeypatch, given):
    monkeypatch.setenv("SITES", given)
    with pytest.raises(ImproperlyConfigured, match="SITES is"):
        env.ancestors("SITES", "*")


def test_a_folder_that_must_be_there_is_found_or_refused_by_name(monkeypatch, tmp_path):
    _set(monkeypatch, None)
    assert env.existing_folder(NAME) is None
    _set(monkeypatch, str(tmp_path))
    assert env.existing_folder(NAME) == tmp_path.resolve()
    _set(monkeypatch, str(tmp_path / "gone"))
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}: .*gone is no folder"):
        env.existing_folder(NAME)


@pytest.mark.parametrize("named", ["auto", "cpu", "cuda", "cuda:1", " cuda:12 "])
def test_a_device_is_one_that_models_run_on(monkeypatch, named):
    _set(monkeypatch, named)
    assert env.device(NAME) == named.strip()


def test_a_device_that_is_not_named_is_found(monkeypatch):
    _set(monkeypatch, None)
    assert env.device(NAME) == "auto"


@pytest.mark.parametrize("named", ["gpu", "CUDA", "cuda:", "cuda:x", "cuda1", "mps", "cpu:0"])
def test_a_device_no_model_runs_on_is_refused_by_name(monkeypatch, named):
    _set(monkeypatch, named)
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is .*expected auto, cpu, cuda"):
        env.device(NAME)
