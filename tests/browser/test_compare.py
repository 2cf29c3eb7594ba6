"""Reading latents side by side by pointer, by keyboard, by finger, and without any script."""

import re

import pytest
from playwright.sync_api import expect

from featureviz.catalog.models import Run
from tests.spools import write_spool

PATH = "/compare?a=demo/sae/0&b=demo/sae/3"


@pytest.fixture
def spooled(site):
    write_spool(Run.objects.get())
    return site


@pytest.fixture
def compared(listened, spooled):
    listened.goto(spooled + PATH)
    return listened


@pytest.mark.parametrize(
    "path", [PATH, "/compare", "/compare?a=demo/sae/0", f"{PATH}&c=demo/sae/7"]
)
def test_no_page_makes_the_browser_complain_or_scrolls_sideways(listened, spooled, path):
    listened.goto(spooled + path)
    for width in (360, 430, 768, 1440, 2560):
        listened.set_viewport_size({"width": width, "height": 800})
        assert listened.evaluate("() => document.documentElement.scrollWidth") <= width


def test_the_same_token_stands_under_itself(compared):
    first = compared.locator(".same").first
    peaks = [peak.bounding_box()["x"] for peak in first.locator(".k").all()]
    assert len(peaks) == 2
    assert len({round(x) for x in peaks}) == 1


def test_pointing_at_a_token_outlines_it_in_every_line_and_tells_each_activation(compared):
    first = compared.locator(".same").first
    first.scroll_into_view_if_needed()
    first.locator(".row").nth(1).locator(".k").hover()
    expect(first.locator(".at")).to_have_count(2)
    card = compared.locator("#tip")
    expect(card).to_be_visible()
    for letter, row in zip("ab", first.locator(".row").all(), strict=True):
        shown = row.locator(".k").get_attribute("data-a") or "0"
        expect(card.locator("p", has_text=re.compile(f"^{letter}"))).to_contain_text(shown)
    own = first.bounding_box()
    box = card.bounding_box()
    assert box["y"] >= own["y"] + own["height"] - 1 or box["y"] + box["height"] <= own["y"] + 1


def test_lines_are_one_tab_stop_and_arrows_move_between_them(compared):
    rows = compared.locator(".same .row")
    rows.first.focus()
    compared.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    expect(compared.locator("#tip")).to_be_visible()
    before = compared.locator("#tip").inner_text()
    compared.keyboard.press("ArrowRight")
    assert compared.locator("#tip").inner_text() != before
    expect(compared.locator("#say")).to_contain_text("position")
    assert compared.locator(".same .row[tabindex='0']").count() == 1


def test_a_click_opens_the_whole_context_in_every_line(compared):
    first = compared.locator(".same").first
    first.locator(".row").first.locator(".k").click()
    expect(first.locator(".row.open")).to_have_count(2)


def test_latents_are_chosen_by_typing_an_address(compared, spooled):
    compared.get_by_label("c", exact=True).fill(f"{spooled}/demo/sae/4?view=16")
    compared.get_by_role("button", name="Compare", exact=True).click()
    expect(compared.locator(".facing thead th")).to_have_count(3)
    compared.get_by_role("link", name="Leave b out").click()
    expect(compared.locator(".facing thead th")).to_have_count(2)
    assert "b=" not in compared.url


class TestWithoutScript:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_everything_is_read_and_switched_by_links(self, page, spooled):
        page.goto(spooled + PATH)
        expect(page.locator(".same .k").first).to_be_visible()
        page.get_by_role("link", name="Each its own").click()
        assert page.url.endswith("&scale=own")
        page.get_by_role("link", name="Numbers").click()
        expect(page.locator("main")).to_have_attribute("data-num", "on")
