"""A view as a file."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from featureviz.annotate.models import Explanation
from featureviz.browse.table import exports
from featureviz.browse.table.selection import Selection
from featureviz.browse.table.statistics import statistics_of
from featureviz.browse.table.view import View
from featureviz.catalog.models import Latent, Run
from tests.factories import make_run
from tests.test_boundaries import loads

pytestmark = pytest.mark.django_db
QUERY = "?sort=-max&density=>1%25"


@pytest.fixture
def run(store):
    return make_run(n_latents=30)


def read(client, ending, query=QUERY):
    reply = client.get(f"/demo/sae/latents.{ending}{query}")
    assert reply.status_code == 200
    assert reply.streaming
    return reply, b"".join(reply.streaming_content)


def as_csv(client, query=QUERY):
    return list(csv.DictReader(io.StringIO(read(client, "csv", query)[1].decode())))


def as_table(client, query=QUERY):
    return pq.read_table(io.BytesIO(read(client, "parquet", query)[1]))


def expected(run, query=QUERY):
    return Selection.of(run, View.of(QueryDict(query[1:]))).indices.tolist()


def test_both_files_hold_exactly_the_views_latents_in_its_order(client, run):
    order = expected(run)
    assert 5 < len(order) < 30
    assert [int(row["index"]) for row in as_csv(client)] == order
    assert as_table(client)["index"].to_pylist() == order


def test_both_files_hold_every_statistic_exactly_with_its_unit(client, run):
    table, lines = as_table(client), as_csv(client)
    for statistic in statistics_of(run):
        name = f"{statistic.name} [{statistic.unit}]" if statistic.unit else statistic.name
        values = [
            statistic.of(Latent.objects.get(run=run, index=index), run) for index in expected(run)
        ]
        assert table[name].to_pylist() == values
        assert [float(line[name]) for line in lines] == values


def test_texts_and_tokens_are_whole(client, run):
    author = User.objects.create(username="ada")
    said = 'one, "two"\nthree'
    Explanation.objects.create(dictionary=run.dictionary, index=3, text=said, author=author)
    row = Latent.objects.get(run=run, index=3)
    [line] = as_csv(client, "?index=3")
    assert json.loads(line["fires [tokens]"]) == row.fires_on
    assert line["explanation"] == 'one, "two" three'
    found = as_table(client, "?index=3").to_pylist()[0]
    assert found["fires [tokens]"] == row.fires_on
    assert found["histogram [log height, 0-255]"] == list(bytes(row.shape))
    assert "⟦" in found["strongest context [⟦peak⟧]"]


def test_no_cell_is_a_formula_to_a_spreadsheet(client, run):
    author = User.objects.create(username="ada")
    Explanation.objects.create(
        dictionary=run.dictionary, index=3, text="=HYPERLINK(1)", author=author
    )
    [line] = as_csv(client, "?index=3")
    assert line["explanation"] == "'=HYPERLINK(1)"


def test_chosen_columns_are_the_ones_written(client, run):
    assert list(as_csv(client, "?cols=max,density")[0]) == [
        "index", "density [share of tokens]", "max [activation]",
    ]  # fmt: skip


def test_files_are_written_batch_by_batch(client, run, monkeypatch):
    whole = read(client, "csv")[1], as_table(client)
    monkeypatch.setattr(exports, "_BATCH", 4)
    monkeypatch.setattr(exports, "_GROUP", 2)
    assert read(client, "csv")[1] == whole[0]
    assert as_table(client) == whole[1]


def test_an_empty_view_is_a_file_with_headings_alone(client, run):
    assert as_csv(client, "?max=>1000") == []
    assert as_table(client, "?max=>1000").num_rows == 0


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_have_a_name_and_what_is_not_published_has_none(client, run, ending):
    reply, _ = read(client, ending)
    assert f'filename="demo-sae-latents.{ending}"' in reply.headers["Content-Disposition"]
    Run.objects.update(published_at=None)
    assert client.get(f"/demo/sae/latents.{ending}").status_code == 404


def test_serving_pages_loads_no_pyarrow():
    assert not loads("pyarrow", "import featureviz.urls, featureviz.wsgi")
