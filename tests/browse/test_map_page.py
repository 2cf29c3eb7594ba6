"""The map of a dictionary: every state of it, its colours, its data, its picture."""

import re

import numpy as np
import pytest
import torch

from featureviz.browse.map_page import MapPage, density_levels, size_levels
from featureviz.catalog import questions
from featureviz.catalog.models import Question
from featureviz.dashboards.maps import FILE, write_map
from featureviz.engine.latent_map import latent_map
from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return make_run(n_latents=24)


@pytest.fixture
def mapped(run):
    rows = np.random.default_rng(1).normal(size=(24, 6)).astype(np.float32)
    write_map(run.folder, latent_map(torch.from_numpy(rows), "d"))
    return run


def html(client, path="/demo/sae/map"):
    reply = client.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def plain(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_reading_a_map_that_is_not_there_asks_for_it_once(client, run):
    for _ in range(2):
        said = html(client)
        assert "A worker lays out 24 latents" in plain(said)
    asked = Question.objects.get()
    assert (asked.kind, asked.run) == ("map", run)
    assert f'data-ask="/questions/{asked.pk}"' in said


def test_without_a_worker_the_page_names_the_command(client, run):
    said = plain(html(client))
    assert "The map waits for a worker" in said
    assert "celery -A featureviz worker starts one" in said


def test_why_a_map_could_not_be_made_is_said(client, run):
    html(client)
    questions.refuse(questions.claim(), "These weights changed. Put `the old ones` back.")
    said = html(client)
    assert "There is no map yet" in said
    assert "<code>the old ones</code>" in said


def test_a_map_whose_file_was_deleted_is_asked_for_again(client, mapped):
    html(client)
    assert not Question.objects.exists()
    (mapped.folder / FILE).unlink()
    html(client)
    questions.answer(questions.claim(), None)
    html(client)
    assert Question.objects.get().state == "waiting"


def test_without_a_map_its_data_and_picture_are_not_there(client, run):
    assert client.get("/demo/sae/map.json").status_code == 404
    assert client.get("/demo/sae/map.svg").status_code == 404
    assert client.get("/demo/nothing/map").status_code == 404


def test_the_data_are_the_map_and_the_rows_of_the_latents(client, mapped):
    found = client.get("/demo/sae/map.json").json()
    stored = MapPage.of(mapped, {}).map
    x, y = stored.layouts[0].points
    assert found["layouts"]["pca"]["x"] == pytest.approx(x.tolist(), rel=1e-4)
    assert found["layouts"]["pca"]["y"] == pytest.approx(y.tolist(), rel=1e-4)
    assert found["cluster"] == (stored.cluster_of + 1).tolist()
    rows = mapped.latents.order_by("index")
    assert found["index"] == [row.index for row in rows]
    assert found["density"] == pytest.approx([row.density for row in rows], rel=1e-4)
    assert found["max_activation"] == pytest.approx([row.max_activation for row in rows], rel=1e-4)
    assert found["n_active"] == [row.n_active for row in rows]


def test_density_is_coloured_by_the_same_steps_in_every_map():
    densities = [0, 5e-6, 1e-5, 2e-5, 9.9e-2, 0.1, 1]
    assert density_levels(densities).tolist() == [-1, 0, 1, 1, 8, 9, 9]


def test_size_is_coloured_by_tenths_each_with_its_upper_end():
    assert size_levels([0, 0.01, 1, 1.01, 5, 10]).tolist() == [-1, 0, 0, 1, 4, 9]
    assert size_levels([0, 0]).tolist() == [-1, -1]


@pytest.mark.parametrize("colour", ["density", "cluster", "max"])
def test_the_legend_counts_every_latent_once(client, mapped, colour):
    page = MapPage.of(mapped, {"colour": colour})
    assert sum(step.count for step in page.legend) == 24
    said = html(client, f"/demo/sae/map?colour={colour}")
    [table] = re.findall(rf'data-legend="{colour}"\s*>.*?</table>', said, re.DOTALL)
    for step in page.legend:
        assert plain(step.words) in plain(table)


def test_the_picture_has_a_dot_for_every_latent_and_nothing_a_policy_forbids(client, mapped):
    reply = client.get("/demo/sae/map.svg?colour=cluster")
    assert reply.headers["Content-Type"] == "image/svg+xml"
    svg = reply.content.decode()
    dots = re.findall(r"M(\d+) (\d+)h0", svg)
    assert len(dots) == 24
    assert all(0 <= int(x) <= 1200 and 0 <= int(y) <= 720 for x, y in dots)
    assert "style" not in svg
    assert "script" not in svg


def test_a_cluster_is_listed_densest_first_by_its_address(client, mapped):
    page = MapPage.of(mapped, {"cluster": "2"})
    members = np.flatnonzero(page.map.cluster_of == 1).tolist()
    assert sorted(point.latent for point in page.listed) == members
    densities = [point.density for point in page.listed]
    assert densities == sorted(densities, reverse=True)
    said = html(client, "/demo/sae/map?cluster=2")
    assert [int(index) for index in re.findall(r'<tr data-index="(\d+)"', said)] == [
        point.latent for point in page.listed
    ]


def test_clusters_are_described_by_size_density_and_tokens(client, mapped):
    page = MapPage.of(mapped, {})
    rows = {row.index: row for row in mapped.latents.all()}
    for cluster in page.clusters:
        members = [rows[index] for index in np.flatnonzero(page.clusters_of == cluster.number - 1)]
        alive = [row for row in members if row.n_active]
        assert (cluster.size, cluster.n_dead) == (len(members), len(members) - len(alive))
        assert cluster.density == pytest.approx(float(np.median([row.density for row in alive])))
        assert set(cluster.tokens) <= {row.top_token for row in alive}
        assert cluster.strongest == max(row.max_activation for row in alive)


def test_nonsense_in_the_address_is_the_default(client, mapped):
    said = html(client, "/demo/sae/map?colour=blue&by=x&cluster=-1")
    assert 'data-colour="density"' in said
    assert 'data-by="pca"' in said
    assert html(client, "/demo/sae/map?cluster=999")


def test_a_dictionarys_page_leads_to_its_map(client, run):
    assert 'href="/demo/sae/map"' in html(client, "/demo/sae/")
