"""What a latent's page says of its rarity and of where its numbers come from."""

import re

import pytest

from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return make_run()


def words(client, index):
    html = client.get(f"/demo/sae/{index}").content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.replace("\u202f", "")))


def test_an_ultralow_latent_is_called_so_with_its_counts(client, run):
    n = run.corpus.n_tokens
    assert f"Fires on 2 of {n} tokens: ultralow." in words(client, 6)


def test_a_dead_latent_is_called_so(client, run):
    assert f"Fires on none of {run.corpus.n_tokens} tokens: dead." in words(client, 7)


def test_of_a_latent_that_fires_often_nothing_is_said(client, run):
    assert "ultralow" not in words(client, 3)


def test_the_page_names_everything_that_made_its_numbers(client, run):
    run.provenance |= {"dtype": "float32", "devices": ["cpu, 2 threads"], "seconds": 94.5}
    run.save()
    html = client.get("/demo/sae/3").content.decode()
    for digest in ("a" * 64, "b" * 64, run.corpus.digest):
        assert f'title="{digest}">{digest[:12]}<' in html
    text = words(client, 3)
    assert f"9 contexts of 128, {run.corpus.n_tokens} tokens" in text
    assert "float32, seed 0, cpu, 2 threads, 2min" in text
    assert "torch 2.8.0" in text
