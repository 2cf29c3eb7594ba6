"""The page of all parts is made of the real ones, and needs nothing but itself."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError

from featureviz.browse.components import Components
from featureviz.browse.invented import CORPUS, InventedPage, dashboard
from featureviz.catalog.models import is_model_name

TEMPLATES = Path(settings.BASE_DIR) / "templates" / "browse"


@pytest.fixture
def html(client):
    reply = client.get("/components/")
    assert reply.status_code == 200
    return reply.content.decode()


def test_it_opens_on_an_empty_site_and_without_a_database(html):
    assert "every number and every text is invented" in html


def test_it_is_drawn_by_the_partials_of_the_pages():
    used = "".join(path.read_text() for path in TEMPLATES.glob("*omponents*"))
    for name in ("_group", "_tools", "_activations", "_logits", "_effects", "_ends", "_neurons",
                 "_attention", "_dead_latent"):  # fmt: skip
        assert f'"browse/{name}.html"' in used
        others = [path for path in TEMPLATES.glob("*.html") if "omponents" not in path.name]
        assert any(f'"browse/{name}.html"' in path.read_text() for path in others), name


@pytest.mark.parametrize("query", ["", "?view=whole&num=on", "?scale=all&sp=on&y=log"])
def test_its_switches_lead_back_to_it(client, query):
    reply = client.get(f"/components/1260{query}")
    assert reply.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=", reply.content.decode())


def test_every_kind_of_mark_occurs(html):
    for level in range(1, 11):
        assert re.search(rf'class="l{level}\b', html), level
    for sign in ("↑", "≈", "×4"):
        assert f">{sign}</abbr>" in html
    for strip in ('dir="rtl"', 'lang="he"', "data-g=", "data-s=", "&lt;b&gt;", 'class="more"'):
        assert strip in html, strip


def test_the_invented_examples_fit_their_texts():
    page = InventedPage.drawn({})
    for row in page.groups[0].rows:
        assert row.example.position < int(CORPUS.lengths[row.example.context])
        assert row.lit[row.peak].activation == pytest.approx(row.example.activation)
    board = dashboard()
    assert sum(interval.n_active for interval in board.intervals) == board.n_active
    assert sum(board.histogram.counts) == board.n_active


def test_no_two_rows_share_an_anchor(html):
    anchors = re.findall(r'<li class="row[^"]*"\s+id="([^"]+)"', html)
    assert len(anchors) > 60
    assert len(anchors) == len(set(anchors))
    assert Components({}).settings


def test_no_model_takes_its_address():
    with pytest.raises(ValidationError):
        is_model_name("components")
