"""The API gives what the pages show."""

import pytest

from featureviz.annotate import explanations
from featureviz.annotate.explanations import Signature
from featureviz.browse.rest import reading
from featureviz.catalog.models import Latent
from tests.factories import make_run

pytestmark = pytest.mark.django_db
LATENTS = "/api/v1/latents/demo/sae"


@pytest.fixture
def run(store):
    return make_run()


def test_models_and_dictionaries_are_those_that_can_be_read(client, run):
    make_run(dictionary="hidden", published=False)
    (model,) = client.get("/api/v1/models").json()
    assert (model["name"], model["dictionaries"]) == ("demo", ["demo/sae"])
    (one,) = client.get("/api/v1/dictionaries").json()
    assert one == client.get("/api/v1/dictionaries/demo/sae").json()
    assert (one["address"], one["d_sae"], one["run"]) == ("demo/sae", 8, run.key)
    assert client.get("/api/v1/dictionaries?model=other").json() == []


def test_latents_are_filtered_and_sorted_as_in_the_table(client, run):
    strongest = Latent.objects.order_by("-max_activation").values_list("index", flat=True)
    page = client.get(f"{LATENTS}?sort=-max&show=alive").json()
    assert page["count"] == 7
    assert [row["index"] for row in page["latents"]] == list(strongest)[:7]
    few = client.get(f"{LATENTS}?max=>1").json()
    assert few["count"] == Latent.objects.filter(max_activation__gt=1).count()
    assert all(row["statistics"]["max"] > 1 for row in few["latents"])


def test_pages_lead_from_one_to_the_next_and_end(client, run):
    address, seen = f"{LATENTS}?page_size=3&sort=-index", []
    while address:
        page = client.get(address).json()
        seen += [row["index"] for row in page["latents"]]
        address = page["next"]
    assert seen == list(range(7, -1, -1))
    assert page["n_pages"] == 3


@pytest.mark.parametrize("asked", ["page=0", "page_size=0", "page_size=1001", "page=x"])
def test_a_page_that_cannot_be_is_refused_in_words(client, run, asked):
    reply = client.get(f"{LATENTS}?{asked}")
    assert reply.status_code == 422
    assert asked.partition("=")[0] in reply.json()["error"]


def test_a_page_past_the_last_is_empty(client, run):
    assert client.get(f"{LATENTS}?page=9").json()["latents"] == []


def test_a_row_says_what_heads_its_explanations(client, run):
    explanations.write(run.dictionary, 3, "Digits", Signature(model_name="m"))
    rows = client.get(f"{LATENTS}?has=explanation").json()["latents"]
    assert [(row["index"], row["explanation"]) for row in rows] == [(3, "Digits")]


def test_files_that_are_gone_are_said_with_how_to_mend_it(client, run):
    for pack in run.folder.glob("blocks/*.pack"):
        pack.unlink()
    reply = client.get(f"{LATENTS}/3")
    assert reply.status_code == 503
    assert f"precompute --resume {run.key[:8]}" in reply.json()["error"]


@pytest.mark.parametrize("path", ["/99", "/999999999", "x", "/3/nothing"])
def test_what_is_not_there_is_said_in_json(client, run, path):
    reply = client.get(f"{LATENTS}{path}")
    assert reply.status_code == 404
    assert LATENTS in reply.json()["error"]


def test_search_finds_and_pages(client, run):
    from django.core.management import call_command

    call_command("reindex", verbosity=0)
    explanations.write(run.dictionary, 3, "Digits", Signature(model_name="m"))
    found = client.get("/api/v1/search?q=digits").json()
    assert found["count"] == 1
    assert found["hits"][0]["address"] == "demo/sae/3"
    assert found["hits"][0]["found_in"][0] == "explanation"
    assert client.get("/api/v1/search?q=digits&page=2").json()["hits"] == []
    assert client.get("/api/v1/search").json()["hits"] == []


def test_a_defect_is_said_in_json_too(client, run, monkeypatch):
    def defect(latent):
        raise RuntimeError("a defect")

    monkeypatch.setattr(reading, "whole_record", defect)
    client.raise_request_exception = False
    reply = client.get(f"{LATENTS}/3")
    assert reply.status_code == 500
    assert "broke" in reply.json()["error"]
    assert "a defect" not in reply.content.decode()
