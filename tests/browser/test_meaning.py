"""What is close in meaning, in a real browser; the vectors are given."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from featureviz.browse.search import meaning
from featureviz.catalog.models import Question, Run, Worker
from featureviz.catalog.runs import reindex
from tests.browse.search.meanings import MODEL, QUERY, answered, said
from tests.browser.test_axe import axe, faults  # noqa: F401 - a fixture


@pytest.fixture
def site(site, settings, tmp_path):
    """A site with an embedding model, and two explanations that have vectors."""
    meaning._held.clear()
    settings.FEATUREVIZ_EMBEDDING_MODEL = tmp_path
    run = Run.objects.get()
    reindex(run)
    said(run, 3, "animals with stripes", 0.875)
    said(run, 5, "the sea", 0.25)
    yield site
    meaning._held.clear()


def near(page):
    return page.locator(".by-meaning .hit")


def test_what_words_do_not_find_is_found_by_meaning(listened, site):
    answered("zebras")
    listened.goto(f"{site}/search?q=zebras")
    expect(near(listened)).to_have_count(2)
    expect(near(listened).first).to_contain_text("animals with stripes")
    expect(near(listened).first).to_contain_text("cosine 0.88")
    near(listened).first.locator("h3 a").click()
    assert listened.url.endswith("/demo/sae/3")


def test_an_answer_that_comes_later_is_shown_when_it_is_there(listened, site):
    Worker.objects.create(name="somebody", seen_at=timezone.now())
    listened.goto(f"{site}/search?q=zebras")
    expect(near(listened)).to_have_count(0)
    asked = Question.objects.get()
    Question.objects.filter(pk=asked.pk).update(
        state=Question.State.ANSWERED, answer={"model": MODEL, "vector": QUERY}
    )
    expect(near(listened)).to_have_count(2)


def test_without_a_worker_the_page_says_how_to_start_one(listened, site):
    listened.goto(f"{site}/search?q=zebras")
    expect(listened.locator(".by-meaning")).to_contain_text(re.compile("worker", re.IGNORECASE))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_has_no_grave_fault(page, site, axe, theme, width):  # noqa: F811 - the fixture
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{site}/search?q=stripes")  # while nobody answers
    assert faults(axe, page) == []
    answered("zebras")
    page.goto(f"{site}/search?q=zebras")
    expect(near(page)).to_have_count(2)
    assert faults(axe, page) == []
