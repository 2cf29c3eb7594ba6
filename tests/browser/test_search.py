"""The search box and its answers in a real browser."""

import pytest
from playwright.sync_api import expect

from featureviz.catalog.models import Run
from featureviz.catalog.runs import reindex


@pytest.fixture
def searchable(site):
    """A site whose run can be searched."""
    reindex(Run.objects.get())
    return site


@pytest.fixture
def front(listened, searchable):
    """The front page, open."""
    listened.goto(searchable)
    return listened


def options(page):
    return page.locator("#completions [role=option]")


def test_slash_types_enter_searches_and_the_first_result_leads_to_its_latent(front):
    front.keyboard.press("/")
    front.keyboard.type("something")
    front.keyboard.press("Enter")
    expect(front.locator("h1")).to_contain_text("7 latents")
    address = front.locator(".hit code").first.inner_text()
    front.locator(".hit h3 a").first.click()
    assert front.url.endswith(f"/{address}")


def test_operators_and_tokens_are_completed_from_the_keyboard(front):
    box = front.locator("#q")
    expect(box).to_have_attribute("role", "combobox")
    expect(box).to_have_attribute("aria-expanded", "false")
    box.press_sequentially("fir")
    expect(options(front).first).to_contain_text("fires:")
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "completion-0")
    expect(options(front).first).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value("fires:")
    box.press_sequentially("someth")
    expect(options(front)).to_have_count(1)
    box.press("Tab")
    expect(box).to_have_value("fires:something ")
    expect(front.locator("#completions")).to_be_hidden()
    box.press("Enter")
    assert "q=fires%3Asomething" in front.url


def test_arrows_go_round_and_escape_closes_the_list_and_keeps_the_text(front):
    box = front.locator("#q")
    box.press_sequentially("is:")
    expect(options(front)).to_have_count(3)
    box.press("ArrowUp")
    expect(options(front).nth(2)).to_have_attribute("aria-selected", "true")
    box.press("ArrowDown")
    expect(box).not_to_have_attribute("aria-activedescendant", "completion-2")
    box.press("Escape")
    expect(front.locator("#completions")).to_be_hidden()
    expect(box).to_have_value("is:")


def test_a_completion_is_taken_by_pointer_and_the_rest_of_the_query_stays(front):
    box = front.locator("#q")
    box.fill("something 🙂 den max:>0")
    box.evaluate("box => box.setSelectionRange(16, 16)")
    box.press("ArrowDown")
    options(front).first.click()
    expect(box).to_have_value("something 🙂 density: max:>0")
    expect(box).to_be_focused()
    options(front).first.click()
    expect(box).to_have_value("something 🙂 density:<0.1% max:>0")


def test_typing_in_a_dictionary_searches_there_and_an_index_goes_there(listened, searchable):
    listened.goto(f"{searchable}/demo/sae/3")
    listened.locator("#q").fill("something")
    listened.locator("#q").press("Enter")
    assert "where=demo%2Fsae" in listened.url
    listened.locator("#q").fill("5")
    listened.locator("#q").press("Enter")
    assert listened.url.endswith("/demo/sae/5")


def test_a_chip_takes_its_term_away(front):
    front.locator("#q").fill("something is:dead")
    front.locator("#q").press("Enter")
    expect(front.locator("h1")).to_contain_text("0 latents")
    front.get_by_role("link", name="Without is:dead", exact=True).click()
    expect(front.locator("h1")).to_contain_text("7 latents")


class TestWithoutScript:
    @pytest.fixture(scope="class")
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_the_box_is_a_plain_form_and_every_way_on_is_a_link(self, page, searchable):
        page.goto(f"{searchable}/demo/sae/")
        page.locator("#q").fill("fires:something is:dead")
        page.locator("#q").press("Enter")
        page.get_by_role("link", name="without is:dead", exact=True).click()
        assert page.locator(".hit").count() > 0
        expect(page.locator("#completions")).to_be_hidden()
        expect(page.locator("#q")).not_to_have_attribute("role", "combobox")
        page.get_by_role("link", name="Max ↓").click()
        assert "sort=-max" in page.url


class TestOnAPhone:
    @pytest.fixture(scope="class")
    def browser_context_args(self, browser_context_args):
        phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
        return {**browser_context_args, **phone}

    def test_nothing_sticks_out_and_targets_can_be_hit(self, listened, searchable):
        listened.goto(f"{searchable}/search?q=something+max:>0.1")
        assert listened.evaluate("document.documentElement.scrollWidth") == 390
        for target in listened.locator(".facets a, .terms a, .answer .seg a").all():
            assert target.bounding_box()["height"] >= 32

    def test_a_completion_is_taken_by_a_tap(self, listened, searchable):
        listened.goto(searchable)
        listened.locator("#q").tap()
        listened.locator("#q").press_sequentially("is:")
        options(listened).nth(1).tap()
        expect(listened.locator("#q")).to_have_value("is:dead ")
