"""What other sites show of a latent: its meta tags, its picture, its frame."""

import re
import shutil
from html import unescape
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.http import QueryDict
from PIL import Image, features

from featureviz.browse import preview
from featureviz.browse.sharing import Frame
from tests.ablated import give_effects
from tests.factories import make_run

pytestmark = pytest.mark.django_db
FRAME, PICTURE = "/embed/demo/sae/3", "/demo/sae/3.png"


@pytest.fixture
def run(store):
    shutil.rmtree(Path(settings.FEATUREVIZ_DATA) / "previews", ignore_errors=True)
    return make_run()


def meta(html, name):
    pattern = rf'<meta (?:property|name)="{name}"\s+content="([^"]*)"'
    return unescape(re.search(pattern, html).group(1))


def text(client, path, status=200, **headers):
    reply = client.get(path, headers=headers)
    assert reply.status_code == status
    return reply.content.decode()


# ---------- meta tags ----------


def test_a_page_names_its_picture_by_a_whole_address(client, run):
    html = text(client, "/demo/sae/3?view=16")
    assert meta(html, "og:url") == "http://testserver/demo/sae/3"
    assert meta(html, "og:image") == meta(html, "twitter:image") == f"http://testserver{PICTURE}"
    assert meta(html, "twitter:card") == "summary_large_image"
    assert client.get(meta(html, "og:image")).headers["Content-Type"] == "image/png"


def test_a_page_says_its_numbers_in_a_sentence(client, run):
    board = run.dashboard(3)
    html = text(client, "/demo/sae/3")
    assert meta(html, "og:title").startswith("demo/sae/3: fires on ")
    said = meta(html, "og:description")
    assert said.startswith(f"Active on {board.n_active} of {board.n_tokens} tokens (")
    assert f"maximum activation {board.max_activation:.3f}." in said
    assert meta(text(client, "/demo/sae/7"), "og:title") == "demo/sae/7: never fired"


def test_what_a_token_says_never_leaves_its_attribute(client, run):
    run.corpus.stored.vocabulary  # noqa: B018 - read before it is changed
    for index in range(8):
        html = text(client, f"/demo/sae/{index}")
        head = html[: html.index("</head>")]
        assert "<script>alert" not in head


def test_addresses_begin_as_the_setting_says(client, run, settings):
    settings.FEATUREVIZ_ADDRESS = "https://latents.example.org/"
    html = text(client, "/demo/sae/3")
    assert meta(html, "og:image") == f"https://latents.example.org{PICTURE}"
    assert f"https://latents.example.org{FRAME}" in html


# ---------- the picture ----------


def test_a_picture_is_a_png_of_the_size_sites_ask_for(client, run):
    for index in (3, 6, 7):
        reply = client.get(f"/demo/sae/{index}.png")
        image = Image.open(BytesIO(reply.content))
        assert (image.format, image.size) == ("PNG", (preview.WIDTH, preview.HEIGHT))
        assert set(reply.headers["Cache-Control"].split(", ")) == {"private", "max-age=86400"}


def test_a_picture_shows_as_many_bars_as_the_histogram_has(client, run):
    image = Image.open(BytesIO(client.get(PICTURE).content)).convert("RGB")
    foot = np.asarray(image)[550, 56:596].astype(int)
    amber = [red > 200 and 120 < green < 210 and blue < 140 for red, green, blue in foot]
    bars = sum(here and not before for before, here in zip([False, *amber], amber, strict=False))
    assert bars == sum(count > 0 for count in run.dashboard(3).histogram.counts)


def test_a_picture_is_drawn_once_a_run(client, run, monkeypatch):
    drawn = []
    draw = preview.draw

    def counted(page):
        drawn.append(page)
        return draw(page)

    monkeypatch.setattr(preview, "draw", counted)
    first = client.get(PICTURE).content
    assert client.get(PICTURE).content == first
    assert len(drawn) == 1
    make_run()  # a newer run of the same dictionary
    client.get(PICTURE)
    assert len(drawn) == 2


def test_there_is_no_picture_of_what_cannot_be_read(client, store):
    make_run(published=False)
    assert client.get(PICTURE).status_code == 404
    assert client.get(FRAME).status_code == 404


@pytest.mark.parametrize("text", ["river", " the", "река", "μ", "‹E2›"])
def test_texts_with_a_font_are_written_as_they_are(text):
    assert preview.written(text) == text


def test_texts_no_font_has_are_given_by_their_code_points():
    assert preview.written("\U000e0041") == "U+E0041"
    assert preview.written("a\ue123") == "U+0061 U+E123"


def test_with_no_font_on_the_machine_latin_is_still_written(monkeypatch, tmp_path):
    monkeypatch.setattr(preview, "_FOLDER", tmp_path)
    for cached in (preview._font, preview._has):
        cached.cache_clear()
    try:
        assert preview.font_for("river") == ""
        assert preview.written("النهر").startswith("U+0627 ")
        assert preview.written("川") == "U+5DDD"
    finally:
        for cached in (preview._font, preview._has):
            cached.cache_clear()


def test_letters_that_connect_need_a_font_engine_that_joins_them(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    assert preview.written("نه") == "U+0646 U+0647"
    assert preview.written("river") == "river"


# ---------- the frame ----------


def test_a_frame_may_be_shown_elsewhere_and_pages_may_not(client, run):
    frame, page = client.get(FRAME), client.get("/demo/sae/3")
    assert "X-Frame-Options" not in frame.headers
    assert "frame-ancestors *" in frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in frame.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_site_says_who_may_show_its_frames(client, run, settings):
    settings.FEATUREVIZ_EMBED_ANCESTORS = ["https://one.org", "https://*.two.org"]
    policy = client.get(FRAME).headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors https://one.org https://*.two.org")
    settings.FEATUREVIZ_EMBED_ANCESTORS = ["none"]
    reply = client.get(FRAME)
    assert reply.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    assert reply.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("query", "frame"),
    [
        ({}, Frame()),
        ({"show": "top,hist", "n": "3", "theme": "dark"}, Frame(("hist", "top"), 3, "dark")),
        ({"show": "nothing", "n": "-1", "theme": "<b>"}, Frame()),
        (QueryDict("show=hist&show=top&n=4"), Frame(("hist", "top"), 4)),
        ({"n": "0"}, Frame(n_rows=1)),
        ({"n": "999"}, Frame(n_rows=20)),
        ({"n": "٣"}, Frame()),
        ({"n": "9" * 5000}, Frame()),
    ],
)
def test_what_a_frame_does_not_understand_is_its_default(query, frame):
    assert Frame.of(query) == frame


@pytest.mark.parametrize(
    ("show", "there"),
    [
        ("hist,logits,top", {"hist", "logits", "top"}),
        ("top", {"top"}),
        ("logits", {"logits"}),
        ("", {"hist", "logits", "top"}),
    ],
)
def test_a_frame_shows_the_parts_it_is_asked_for(client, run, show, there):
    html = text(client, f"{FRAME}?show={show}&n=4")
    marks = {"hist": 'class="plot hist"', "logits": 'class="logits"', "top": 'id="top-1"'}
    assert {part for part, mark in marks.items() if mark in html} == there
    assert html.count('<li class="row') == (4 if "top" in there else 0)


def test_a_frame_has_its_theme_whatever_the_reader_chose(client, run):
    client.cookies["theme"] = "light"
    assert 'data-theme="dark"' in text(client, f"{FRAME}?theme=dark")
    assert "data-theme" not in text(client, FRAME)


def test_a_frame_brings_nothing_inline_and_its_links_leave_it(client, run):
    give_effects(run)
    html = text(client, FRAME)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
    body = html[html.index("<main") :]
    links = re.findall(r"<a [^>]*>", body)
    inside = [link for link in links if 'href="#' in link]
    assert all('target="_blank"' in link for link in links if link not in inside)


def test_a_dead_latent_has_a_frame_too(client, run):
    assert "Never fired" in text(client, "/embed/demo/sae/7")


def test_the_page_gives_the_snippet(client, run):
    html = text(client, "/demo/sae/3")
    snippet = unescape(re.search(r"<textarea[^>]*>(&lt;[^<]*)</textarea>", html).group(1))
    address = re.search(r'src="([^"]*)"', snippet).group(1)
    assert client.get(address).status_code == 200
    assert snippet.startswith("<iframe ")
