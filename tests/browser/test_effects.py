"""Reading ablation effects by pointer, by keyboard, by finger, and without any script."""

import re

import pytest
from playwright.sync_api import expect

from featureviz.catalog.models import Run
from tests.ablated import give_effects
from tests.browser.test_latent import row_of
from tests.factories import TEXTS

DECORATION = "e => getComputedStyle(e).textDecorationStyle"
LINE = "e => getComputedStyle(e).textDecorationLine"
COLOUR = "e => getComputedStyle(e).textDecorationColor"
BLUE, RED = re.compile(r"oklab\(\S+ -0\.0\d+ -0\.\d+"), re.compile(r"oklab\(\S+ 0\.\d+ 0\.0\d+")


@pytest.fixture
def site(site):
    """The site of one run, with effects."""
    give_effects(Run.objects.get())
    return site


def underlined(page, name):
    """The first mark of the first text that is drawn so, and its effect in the record."""
    mark = row_of(page, 0).locator(f".{name}").first
    record = page.request.get(re.sub(r"(/\d+).*", r"\1.json", page.url)).json()
    example = next(each for each in record["examples"]["top"] if each["context"] == 0)
    return mark, example["effects"]


def effect_on(mark, effects):
    text = mark.inner_text().strip()
    return next(each for each in effects if each["token"].strip() == text)


def in_nats(effect):
    return f"{'−' if effect < 0 else '+'}{abs(effect):.3f} nats"


def opened(page):
    """The first text, shown whole, so that all of it can be pointed at."""
    page.get_by_role("link", name="Whole").click()


def test_hovering_tells_both_effects_kl_and_the_tokens_that_changed(latent):
    opened(latent)
    for name, words in (("tp3", "less likely"), ("tn3", "more likely")):
        mark, effects = underlined(latent, name)
        effect = effect_on(mark, effects)
        mark.hover()
        card = latent.locator("#tip")
        expect(card).to_contain_text(f"Total effect{in_nats(effect['total'])}{words}")
        other = "more likely" if words == "less likely" else "less likely"
        expect(card).to_contain_text(f"Direct effect{in_nats(effect['direct'])}{other}")
        expect(card).to_contain_text(f"KL {effect['kl']:.3f} nats")
        rises, falls = card.locator(".changes > div").all()
        expect(rises).to_contain_text("+25.0")
        expect(falls).to_contain_text("−12.5")
        assert len(rises.locator("p").all()) == len(effect["risen"]) == 2
        assert len(falls.locator("p").all()) == len(effect["fallen"]) == 1


def test_a_token_nothing_happens_to_says_so(latent):
    opened(latent)
    _, effects = underlined(latent, "tp3")
    row_of(latent, 0).hover()
    first = row_of(latent, 0).locator(".mark, b").first  # nothing precedes it
    assert "She" in first.inner_text()
    assert all(effect["position"] > 1 for effect in effects)
    first.hover()
    expect(latent.locator("#tip")).to_contain_text("No effect of 0.01 nats or more")


def test_helped_is_solid_and_blue_hurt_wavy_and_red(latent):
    helped, hurt = (underlined(latent, name)[0] for name in ("tp3", "tn3"))
    assert (helped.evaluate(DECORATION), hurt.evaluate(DECORATION)) == ("solid", "wavy")
    assert BLUE.match(helped.evaluate(COLOUR))
    assert RED.match(hurt.evaluate(COLOUR))


def test_swapping_turns_the_colours_round_and_nothing_else(latent):
    helped, hurt = (underlined(latent, name)[0] for name in ("tp3", "tn3"))
    before = helped.evaluate(COLOUR), hurt.evaluate(COLOUR)
    latent.get_by_role("link", name="Swap colours").click()
    assert latent.url.endswith("?fx=swap")
    assert (hurt.evaluate(COLOUR), helped.evaluate(COLOUR)) == before
    assert (helped.evaluate(DECORATION), hurt.evaluate(DECORATION)) == ("solid", "wavy")
    legend = latent.locator(".legend .helped").evaluate(COLOUR)
    assert legend == before[1]
    assert latent.locator("a[rel=next]").get_attribute("href").endswith("4?fx=swap")


def test_the_switch_changes_what_is_underlined_in_place(latent):
    latent.evaluate("window.same = true")
    mark, _ = underlined(latent, "tp3.dn2")
    assert mark.evaluate(DECORATION) == "solid"
    latent.get_by_role("link", name="direct effect").click()
    assert latent.url.endswith("?under=direct")
    assert mark.evaluate(DECORATION) == "wavy"
    latent.get_by_role("link", name="activation only").click()
    assert mark.evaluate(LINE) == "none"
    assert latent.evaluate("window.same")


def test_u_goes_round_the_effects(latent):
    for under in ("direct", "off", "total"):
        latent.keyboard.press("b")
        expect(latent.locator("main")).to_have_attribute("data-under", under)


def test_lines_grow_with_the_effect(latent):
    opened(latent)
    thickness = "e => parseFloat(getComputedStyle(e).textDecorationThickness)"
    widths = [latent.locator(f"#top .tp{step}").first.evaluate(thickness) for step in range(1, 6)]
    assert widths == sorted(widths)
    assert len(set(widths)) >= 4


def test_arrows_reach_every_effect_and_speak_it(latent):
    row = row_of(latent, 0)
    row.focus()
    for _ in range(len(TEXTS[0].split())):
        latent.keyboard.press("ArrowRight")
        if "total effect +" in latent.locator("#say").inner_text():
            break
    said = latent.locator("#say")
    expect(said).to_contain_text(re.compile(r"total effect \+\d\.\d{3}, direct −\d\.\d{3} nats"))
    expect(said).to_contain_text("without this latent less likely")
    expect(latent.locator("#tip")).to_contain_text("Total effect")


@pytest.mark.parametrize("text", [3, 4])
def test_text_from_the_right_is_underlined_too(latent, text):
    row = row_of(latent, text)
    assert row.locator("p").get_attribute("dir") == "rtl"
    lines = {mark.evaluate(DECORATION) for mark in row.locator(".tp3, .tn3, .tp4, .tn2").all()}
    assert lines == {"solid", "wavy"}


def test_the_card_stays_in_the_window_and_off_its_row(latent):
    latent.set_viewport_size({"width": 1024, "height": 500})
    for row in latent.locator("#top .row").all():
        latent.mouse.move(0, 0)
        row.scroll_into_view_if_needed()
        latent.wait_for_timeout(100)  # scrolling closes the card
        row.locator(".k").hover()
        card, own = latent.locator("#tip").bounding_box(), row.bounding_box()
        assert card["y"] >= 0
        assert card["y"] + card["height"] <= 500
        assert (
            card["y"] >= own["y"] + own["height"] - 4 or card["y"] + card["height"] <= own["y"] + 4
        )


def test_no_width_makes_the_page_scroll_sideways(page, site):
    page.goto(f"{site}/demo/sae/3")
    for width in (360, 390, 768, 1024, 1250, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


class TestByFinger:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        size = {"width": 390, "height": 844}
        return {**browser_context_args, "viewport": size, "has_touch": True, "is_mobile": True}

    def test_a_tap_tells_the_effect(self, latent):
        mark, effects = underlined(latent, "tp3")
        latent.get_by_role("link", name="Whole").tap()
        mark.tap()
        effect = effect_on(mark, effects)
        expect(latent.locator("#tip")).to_contain_text(in_nats(effect["total"]))

    def test_the_switches_are_large_enough(self, latent):
        for link in latent.locator(".effects a").all():
            assert link.bounding_box()["height"] >= 32


class TestWithoutScript:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_lines_and_legend_are_drawn_by_the_server(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        mark = row_of(page, 0).locator(".tp3.dn2").first
        expect(mark).to_have_css("text-decoration-style", "solid")
        expect(page.locator(".legend")).to_contain_text("less likely more likely")

    def test_the_switches_are_links(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        page.get_by_role("link", name="direct effect").click()
        page.get_by_role("link", name="Swap colours").click()
        assert page.url.endswith("?under=direct&fx=swap")
        mark = row_of(page, 0).locator(".tp3.dn2").first
        expect(mark).to_have_css("text-decoration-style", "wavy")


def test_the_groups_titles_stop_below_the_line_of_effects(latent):
    latent.set_viewport_size({"width": 1440, "height": 500})
    latent.get_by_role("link", name="Whole").click()
    row = latent.locator("#top .row").nth(4)
    row.evaluate("row => scrollBy(0, row.getBoundingClientRect().top - 200)")
    effects = latent.locator(".effects").bounding_box()
    title = latent.locator("#top h3").bounding_box()
    assert effects["y"] == pytest.approx(48 + 39, abs=1)
    assert title["y"] >= effects["y"] + effects["height"] - 1
