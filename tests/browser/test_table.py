"""The table by pointer, by keyboard, on a phone, and without any script."""

import re

import pytest
from playwright.sync_api import expect

from featureviz.browse.table.page import PAGE_SIZE
from featureviz.catalog.models import Latent
from tests.factories import make_run


@pytest.fixture
def table(listened, site):
    listened.goto(f"{site}/demo/sae/")
    return listened


def indices(page):
    return [int(text) for text in page.locator(".latents td .strong").all_inner_texts()]


def by(field, *, descending=False):
    sign = "-" if descending else ""
    return list(Latent.objects.order_by(f"{sign}{field}", "index").values_list("index", flat=True))


def test_a_heading_sorts_and_a_second_click_turns_the_order(table):
    table.get_by_role("link", name="max", exact=True).click()
    expect(table).to_have_url(re.compile(r"\?sort=-max$"))
    assert indices(table) == by("max_activation", descending=True)
    table.get_by_role("link", name="max ↓").click()
    expect(table.locator("th[aria-sort=ascending]")).to_contain_text("max")
    assert indices(table) == by("max_activation")


def test_a_filter_is_typed_becomes_a_chip_and_is_dropped(table):
    table.get_by_text("Filter", exact=True).click()
    table.locator("input[name=density]").fill("> 0.1 %")
    table.get_by_label("has an explanation").check()
    table.locator(".panel:visible .act").click()
    expect(table).to_have_url(re.compile(r"/demo/sae/\?density=(>|%3E)0\.1%25&has=explanation$"))
    expect(table.get_by_text("Drop “has explanation”")).to_be_visible()
    table.get_by_label(re.compile("^Drop the filter has explanation")).click()
    expect(table.locator(".filter-chips li")).to_have_count(1)
    assert indices(table) == list(range(7))


def test_columns_are_chosen_with_boxes(table):
    table.get_by_text("Columns", exact=True).click()
    while table.locator(".boxes input:checked").count():
        table.locator(".boxes input:checked").first.uncheck()
    table.locator(".boxes [value=norm]").check()
    table.locator(".boxes [value=max]").check()
    table.locator(".panel:visible .act").click()
    expect(table).to_have_url(re.compile(r"\?cols=max,norm$"))
    assert table.locator(".latents th").all_inner_texts() == ["index ↑", "max", "norm"]


def test_one_panel_is_open_at_a_time_and_escape_closes_it(table):
    table.get_by_text("Filter", exact=True).click()
    table.get_by_text("Columns", exact=True).click()
    expect(table.locator("details.drop[open]")).to_have_count(1)
    table.keyboard.press("Escape")
    expect(table.locator("details.drop[open]")).to_have_count(0)
    expect(table.get_by_text("Columns", exact=True)).to_be_focused()


def test_j_and_k_walk_the_rows_and_enter_opens_one(table):
    for key in "jjjk":
        table.keyboard.press(key)
    expect(table.locator(".latents .strong").nth(1)).to_be_focused()
    table.keyboard.press("Enter")
    expect(table).to_have_url(re.compile(r"/demo/sae/1$"))


def test_past_the_last_row_j_comes_to_the_next_page(listened, transactional_db, store, live_server):
    make_run(n_latents=PAGE_SIZE + 5)
    listened.goto(f"{live_server.url}/demo/sae/")
    listened.locator(".latents .strong").last.focus()
    listened.keyboard.press("j")
    expect(listened.locator("a[rel=next]")).to_be_focused()
    listened.keyboard.press("Enter")
    listened.wait_for_url("**/demo/sae/?page=2")
    assert indices(listened) == list(range(PAGE_SIZE, PAGE_SIZE + 5))


def test_single_keys_that_are_off_do_nothing(table):
    table.evaluate("localStorage.setItem('featureviz-single-keys', 'off')")
    table.reload()
    table.keyboard.press("j")
    expect(table.locator(".latents .strong:focus")).to_have_count(0)


def test_the_number_of_columns_follows_the_width(page, site):
    page.goto(f"{site}/demo/sae/")
    counts = []
    for width in (360, 1024, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        counts.append(page.locator(".latents th:visible").count())
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert counts == [4, 7, 11, 14]


def test_everything_works_without_scripts(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/demo/sae/")
    page.get_by_text("Filter", exact=True).click()
    page.locator("input[name=tokens]").fill("1..5")
    page.locator("input[name=sort]").fill("-max")
    page.locator(".panel:visible .act").click()
    expect(page).to_have_url(re.compile(r"/demo/sae/\?sort=-max&tokens=1\.\.5$"))
    assert indices(page) == [6]
    page.get_by_role("link", name="CSV").click(trial=True)
    context.close()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_view_is_downloaded_as_a_file(page, site, ending):
    page.goto(f"{site}/demo/sae/?sort=-max")
    name = {"csv": "CSV", "parquet": "Parquet"}[ending]
    with page.expect_download() as begun:
        page.get_by_role("link", name=name).click()
    assert begun.value.path().stat().st_size > 100  # all of it is there
    assert begun.value.suggested_filename == f"demo-sae-latents.{ending}"
