"""Both ends of a signed latent, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.browse.test_ends import make_signed_run


@pytest.fixture
def site(transactional_db, store, live_server):
    make_signed_run()
    return live_server.url


def test_one_click_shows_the_other_end_and_keeps_the_other_switches(listened, site):
    listened.goto(f"{site}/demo/sae/1?view=16")
    listened.get_by_role("group", name="Count axis").get_by_text("log").click()
    listened.get_by_role("group", name="End shown").get_by_text("negative").click()
    expect(listened).to_have_url(f"{site}/demo/sae/1?view=16&end=neg&y=log")
    expect(listened.locator("h2", has_text="Both ends")).to_be_visible()


def test_a_token_of_the_negative_end_is_measured_against_the_minimum(listened, site):
    listened.goto(f"{site}/demo/sae/1?end=neg")
    listened.locator("#top-1 .k").hover()
    expect(listened.locator("#tip")).to_contain_text("100\u202f% of min")
    expect(listened.locator(".hist .mk")).to_have_attribute("x1", "0")


@pytest.mark.parametrize("path", ["/demo/sae/1?end=neg", "/demo/sae/3", "/demo/sae/"])
def test_no_page_scrolls_sideways(listened, site, path):
    listened.goto(site + path)
    for width in (360, 768, 1440):
        listened.set_viewport_size({"width": width, "height": 800})
        assert listened.evaluate("document.documentElement.scrollWidth") <= width
