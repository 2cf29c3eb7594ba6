"""Suggestions come from the demo's training record, as far as it can be read."""

import json

import pytest

from featureviz.browse.showcase import suggestions
from tests.factories import make_run

pytestmark = pytest.mark.django_db
CHOSEN = {
    "arabic": {
        "A-1": {"index": 3, "active": 1200, "share": 0.97},
        "A-1_siblings": [{"index": 4}, {"index": 99}],
        "A-0_parents": [{"latent": {"index": 1}, "cosine": 0.8}],
    },
    "hebrew": {"A-1": {"index": 99, "active": 100, "share": 1}},
    "greek": {"A-1": "nonsense"},
}


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"latents": CHOSEN}))
    return path


def test_published_latents_are_suggested_with_their_neighbours(store, record):
    make_run(model="A", dictionary="0")
    make_run(model="A", dictionary="1")
    (arabic,) = suggestions(record)
    assert str(arabic.latent) == "A/1/3"
    assert (arabic.title, arabic.n_active, arabic.share) == ("Arabic script", 1200, 0.97)
    assert [str(latent) for latent in arabic.siblings] == ["A/1/4"]
    assert [str(latent) for latent in arabic.parents] == ["A/0/1"]


def test_nothing_is_suggested_before_it_is_published(store, record):
    make_run(model="A", dictionary="1", published=False)
    assert suggestions(record) == []


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"latents": 3}', '{"latents": {"arabic": 1}}']
)
def test_a_record_that_cannot_be_read_suggests_nothing(store, tmp_path, content):
    path = tmp_path / "record.json"
    path.write_text(content)
    assert suggestions(path) == []


def test_a_record_that_is_not_there_suggests_nothing(store, tmp_path):
    assert suggestions(tmp_path / "none.json") == []
