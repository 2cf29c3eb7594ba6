"""The page of a dictionary's health, and the JSON beside it."""

import re

import msgspec
import pytest

from featureviz.dashboards.health import Health, Losses, write_health
from featureviz.dashboards.schema import Histogram
from tests.factories import make_run

pytestmark = pytest.mark.django_db

HEALTH = Health(
    n_tokens=200_000,
    d_sae=4096,
    l0=12.0,
    l1=33.25,
    fvu=0.0812,
    cosine=0.9613,
    norm_ratio=0.95,
    reconstruction_bias=0.991,
    n_dead=87,
    n_ultralow=1,
    n_above_hundredth=40,
    n_above_tenth=2,
    log_densities=Histogram((-1.0, -0.5, 0.0), (3, 4)),
    decoder_norms=Histogram((), ()),
    smallest_norm=1.0,
    median_norm=1.0,
    largest_norm=1.0,
    losses=Losses(128, 16_256, 3.0, 3.21, 4.0, 3.7, 0.2, 0.8, 0.5),
)


@pytest.fixture
def run(store):
    run = make_run()
    write_health(run.folder, HEALTH)
    return run


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.replace("\u202f", "")))


def test_the_page_says_what_one_asks_first_with_the_formulas(client, run):
    text = words(client.get("/demo/sae/health").content.decode())
    assert "L0 12.00 active latents a token" in text
    assert "Explained variance 91.9% FVU 0.0812" in text
    assert "Loss recovered 79% from zeros; 70% from the mean" in text
    assert "Dead 2.1% 87 of 4096 latents" in text
    assert "Ultralow 0.0244% 1 of 4096 latents" in text
    assert "FVU = Σ|x − x̂|² / Σ|x − mean x|²" in text
    assert "Over 200000 tokens" in text
    assert "All are 1.0000" in text


def test_losses_stand_in_a_table_with_their_sample(client, run):
    text = words(client.get("/demo/sae/health").content.decode())
    assert "Clean nothing replaced 3.0000" in text
    assert "Spliced x by x̂ 3.2100 0.2000" in text
    assert "x by zeros 4.0000 0.8000 79%" in text
    assert "On 16256 predictions in 128 contexts" in text
    assert "the dictionary spares 75%" in text


def test_a_reconstruction_worse_than_zeros_has_a_negative_share(client, run):
    losses = msgspec.structs.replace(HEALTH.losses, spliced=4.5)
    write_health(run.folder, msgspec.structs.replace(HEALTH, losses=losses, fvu=None))
    text = words(client.get("/demo/sae/health").content.decode())
    assert "Loss recovered −50.0% from zeros" in text
    assert "Explained variance — FVU —" in text


def test_the_dictionarys_page_leads_there(client, run):
    assert 'href="/demo/sae/health"' in client.get("/demo/sae/").content.decode()


def test_nothing_is_inline(client, run):
    html = client.get("/demo/sae/health").content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)


def test_the_json_holds_every_number(client, run):
    record = client.get("/demo/sae/health.json").json()
    stored = msgspec.to_builtins(HEALTH)
    losses = stored.pop("losses")
    assert record.items() >= msgspec.json.decode(msgspec.json.encode(stored)).items()
    assert record["losses"].items() >= losses.items()
    assert record["losses"]["recovered_from_zero"] == pytest.approx(0.79)
    assert record["explained_variance"] == 1 - 0.0812
    assert (record["dictionary"], record["run"]) == ("demo/sae", run.key)


def test_a_run_that_measured_none_says_so(client, store):
    make_run()
    assert "measured no health" in client.get("/demo/sae/health").content.decode()
    assert client.get("/demo/sae/health.json").status_code == 404


@pytest.mark.parametrize("address", ["/demo/none/health", "/demo/none/health.json"])
def test_a_dictionary_that_is_not_there_has_none(client, run, address):
    assert client.get(address).status_code == 404
