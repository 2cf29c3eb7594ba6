"""Reading a latent's page by pointer, by keyboard, by finger, and without any script."""

import re

import pytest
from playwright.sync_api import expect

from tests.factories import SPLIT

PAGES = ["/", "/demo/", "/demo/sae/", "/demo/sae/3", "/demo/sae/7", "/demo/sae/3?view=whole&sp=on"]


def row_of(page, context, group="top"):
    return page.locator(f"#{group} .row[data-context='{context}']").first


def x_of(locator) -> float:
    return locator.bounding_box()["x"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_makes_the_browser_complain(listened, site, path):
    listened.goto(site + path)
    listened.wait_for_load_state("networkidle")


def test_complaints_are_heard(page, complaints, site):
    complaints.listen(page)
    page.goto(site)
    page.evaluate("() => { document.body.innerHTML = '<img src=http://other.example/x.png>' }")
    page.evaluate("() => { document.body.setAttribute('style', 'color: red') }")
    page.wait_for_timeout(100)
    assert any("style" in said for said in complaints.said)
    assert any("img-src" in said for said in complaints.said)


def test_no_page_scrolls_sideways(page, site):
    wide = []
    for path in PAGES:
        page.goto(site + path)
        for width in (360, 390, 430, 768, 1024, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append((path, width))
    assert wide == []


@pytest.mark.parametrize("width", [360, 600, 768, 860, 861, 1024, 1440, 2560])
def test_a_latents_head_is_as_wide_as_its_page_and_every_part_is_within(page, site, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{site}/demo/sae/3")
    head = page.locator(".head").bounding_box()
    assert head["width"] > width - 60
    for part in (".activations", ".logits", ".examples", ".written", ".related", ".provenance"):
        box = page.locator(part).bounding_box()
        assert box["width"] > 200, part
        assert box["x"] + box["width"] <= width, part


@pytest.mark.parametrize("width", [360, 390, 600, 768])
def test_on_small_screens_the_menu_stands_beside_the_search(page, site, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{site}/demo/sae/3")
    boxes = [page.locator(f".topbar {part}").bounding_box() for part in (".step", ".jump", ".menu")]
    step, search, menu = ((box["y"], box["y"] + box["height"]) for box in boxes)
    assert search[0] >= step[1]
    assert search[0] < sum(menu) / 2 < search[1]


@pytest.mark.parametrize("width", [360, 1440])
def test_the_ladder_leads_to_every_group_and_each_shows_its_text(page, site, width):
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(f"{site}/demo/sae/3")
    for link in page.locator(".ladder a").all():
        link.click()
        group = page.locator(link.get_attribute("href"))
        expect(group.locator("h3")).to_be_in_viewport()
        for box in (text.bounding_box() for text in group.locator(".row .c").all()):
            assert box["width"] > 100


def test_the_peaks_of_all_rows_stand_in_one_column(latent):
    peaks = latent.locator("#top .row:has(p[dir=ltr]) .k")
    assert peaks.count() > 3
    assert len({round(x_of(peak)) for peak in peaks.all()}) == 1


def test_in_rows_that_run_from_the_right_the_column_is_mirrored(latent):
    boxes = [peak.bounding_box() for peak in latent.locator("#top p[dir=rtl] .k").all()]
    assert len({round(box["x"] + box["width"]) for box in boxes}) == 1


def test_hovering_a_token_describes_it(latent):
    peak = row_of(latent, 0).locator(".k")
    peak.hover()
    card = latent.locator("#tip")
    expect(card).to_contain_text(peak.get_attribute("data-a"))
    expect(card).to_contain_text(re.compile(r"id \d+ · position 4 · context 0"))
    expect(card).to_contain_text("% of max")


def test_hovering_silent_text_describes_the_token_under_the_pointer(latent):
    row_of(latent, 0).locator(".c").hover(position={"x": 240, "y": 12})
    expect(latent.locator("#tip")).to_contain_text(re.compile(r"position \d+"))
    expect(latent.locator(".row .at")).to_have_count(1)


def test_hovering_marks_the_place_on_the_histogram(latent):
    peak = latent.locator("#top-1 .k")
    peak.hover()
    expect(latent.locator(".hist .mk")).to_have_attribute("x1", "100")
    latent.locator("h1").hover()
    expect(latent.locator(".hist .mk")).to_have_attribute("x1", "-9")
    expect(latent.locator("#tip")).to_be_hidden()


def test_a_split_character_lists_its_tokens(latent):
    row = row_of(latent, SPLIT)
    row.locator("b").first.hover()
    expect(latent.locator("#tip .part")).to_have_count(3)
    expect(latent.locator("#tip .part").first).to_contain_text(re.compile(r"‹\w\w›"))


def test_hovering_moves_nothing(latent):
    row = row_of(latent, 0)
    before = [each.bounding_box() for each in latent.locator(".row").all()]
    row.locator(".k").hover()
    assert [each.bounding_box() for each in latent.locator(".row").all()] == before


def test_the_card_never_covers_its_own_row(latent):
    for row in latent.locator("#top .row").all():
        row.locator(".k").hover()
        card, own = latent.locator("#tip").bounding_box(), row.bounding_box()
        assert (
            card["y"] >= own["y"] + own["height"] - 4 or card["y"] + card["height"] <= own["y"] + 4
        )


def test_splitting_a_row_into_tokens_leaves_its_text_as_it_was(latent):
    for row in latent.locator("#top .row").all():
        before = row.inner_text()
        row.locator(".k").hover()
        assert row.inner_text() == before


def test_every_token_of_a_row_is_reached_with_its_own_id(latent, site):
    record = latent.request.get(f"{site}/demo/sae/3.json").json()
    example = next(each for each in record["examples"]["top"] if each["context"] == 0)
    marks = latent.evaluate(
        """async () => {
          const { marksOf } = await import("/static/js/marks.js");
          const row = document.querySelector("#top .row[data-context='0']");
          return marksOf(row).map((mark) => [mark.elements.map((e) => e.textContent).join(""),
                                             Number(mark.ids[0]), mark.position, mark.activation]);
        }"""
    )
    assert [mark[0] for mark in marks] == example["tokens"][1:]
    assert [mark[1] for mark in marks] == example["token_ids"][1:]
    assert [mark[2] for mark in marks] == list(range(1, len(example["tokens"])))
    shown = [float(mark[3]) for mark in marks]
    assert shown == pytest.approx(example["activations"][1:], abs=6e-4)


def test_a_click_opens_the_whole_context_and_another_closes_it(latent):
    row = row_of(latent, 0)
    row.locator(".k").click()
    expect(row).to_have_class(re.compile("open"))
    row.locator(".k").click()
    expect(row).not_to_have_class(re.compile("open"))


def tab_into_the_examples(page):
    """Tab on from the switches until a row has the focus."""
    page.locator(".switches a").last.focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.row')"):
            return
    raise AssertionError("no row within twelve tab stops")


def test_all_examples_are_one_tab_stop(latent):
    tab_into_the_examples(latent)
    assert latent.evaluate("document.activeElement.id") == "top-1"
    latent.keyboard.press("Tab")
    assert not latent.evaluate("document.activeElement.closest('.row') !== null")


def test_arrows_move_between_rows_and_tokens_and_are_spoken(latent):
    tab_into_the_examples(latent)
    latent.keyboard.press("ArrowDown")
    assert latent.evaluate("document.activeElement.id") == "top-2"
    expect(latent.locator("#tip")).to_be_visible()
    before = latent.locator("#say").inner_text()
    latent.keyboard.press("ArrowRight")
    expect(latent.locator("#say")).not_to_have_text(before)
    expect(latent.locator("#say")).to_contain_text(re.compile(r"activation [\d.]+, position \d+"))
    latent.keyboard.press("Escape")
    expect(latent.locator("#tip")).to_be_hidden()


@pytest.mark.parametrize(("text", "key"), [(0, "ArrowRight"), (3, "ArrowLeft")])
def test_arrows_follow_the_direction_of_the_text(latent, text, key):
    row_of(latent, text).focus()
    at = "document.querySelector('.row .at').getBoundingClientRect().x"
    latent.keyboard.press("ArrowRight")
    latent.keyboard.press("ArrowLeft")
    before = latent.evaluate(at)
    latent.keyboard.press(key)
    moved = latent.evaluate(at) - before
    assert moved > 0 if key == "ArrowRight" else moved < 0


def test_enter_opens_the_row(latent):
    row = row_of(latent, 0)
    row.focus()
    latent.keyboard.press("Enter")
    expect(row).to_have_class(re.compile("open"))


@pytest.mark.parametrize(("key", "index"), [("j", 4), ("k", 2)])
def test_j_and_k_go_to_the_neighbours(latent, key, index):
    latent.keyboard.press(key)
    latent.wait_for_url(f"**/demo/sae/{index}")


@pytest.mark.parametrize(("key", "group"), [("0", "top"), ("3", "i3"), ("Shift+0", "i10")])
def test_digits_lead_to_their_group(latent, key, group):
    latent.keyboard.press(key)
    expect(latent.locator(f"#{group}")).to_be_in_viewport()
    rows = latent.locator(f"#{group} .row")
    if rows.count():
        assert latent.evaluate("document.activeElement.closest('.group').id") == group


def test_v_and_n_turn_the_switches_and_the_address_follows(latent):
    shown = latent.locator("#top .row").first
    whole = len(shown.inner_text())
    latent.keyboard.press("v")
    expect(latent.locator("main")).to_have_attribute("data-view", "4")
    assert len(shown.inner_text()) < whole
    latent.keyboard.press("v")
    expect(latent.locator("main")).to_have_attribute("data-view", "16")
    latent.keyboard.press("n")
    expect(latent.locator("main")).to_have_attribute("data-num", "on")
    assert latent.url.endswith("?view=16&num=on")
    assert latent.locator("a[rel=next]").get_attribute("href").endswith("4?view=16&num=on")


def test_slash_goes_to_the_box_and_typing_there_is_only_typing(latent):
    latent.keyboard.press("/")
    assert latent.evaluate("document.activeElement.id") == "q"
    latent.keyboard.type("j5")
    assert latent.locator("#q").input_value() == "j5"
    assert latent.url.endswith("/3")


def test_single_keys_can_be_switched_off_and_stay_off(latent):
    latent.keyboard.press("?")
    expect(latent.locator("#keys")).to_be_visible()
    latent.locator("#single-keys").uncheck()
    latent.keyboard.press("Escape")
    latent.reload()
    latent.keyboard.press("j")
    latent.wait_for_timeout(150)
    assert latent.url.endswith("/3")


def test_a_switch_acts_in_place(latent):
    latent.evaluate("window.same = true")
    latent.get_by_role("link", name="Whole").click()
    expect(latent.locator("main")).to_have_attribute("data-view", "whole")
    latent.get_by_role("link", name="log", exact=True).click()
    expect(latent.locator(".hist .log").first).to_be_visible()
    assert latent.evaluate("window.same")
    assert latent.url.endswith("?view=whole&y=log")


def test_each_view_shows_what_it_promises(latent, site):
    far = row_of(latent, SPLIT).locator("s").last
    latent.goto(f"{site}/demo/sae/3?view=16")
    expect(far).to_be_hidden()
    latent.goto(f"{site}/demo/sae/3?view=whole")
    expect(far).to_be_visible()


def test_numbers_stand_after_their_tokens(latent):
    content = "getComputedStyle(document.querySelector('#top-1 .k'), '::after').content"
    assert latent.evaluate(content) == "none"
    latent.get_by_role("link", name="Numbers").click()
    assert latent.evaluate(content) == f'"{latent.locator("#top-1 .k").get_attribute("data-a")}"'


def test_breaks_are_real_lines_on_request(latent, site):
    latent.goto(f"{site}/demo/sae/3?view=whole")
    row = row_of(latent, 2)
    before = row.bounding_box()["height"]
    latent.get_by_role("link", name="Breaks").click()
    assert row.bounding_box()["height"] > before + 40


def test_the_number_of_a_row_is_its_permalink(latent):
    latent.locator("#top-2 .value").click()
    latent.wait_for_url("**?ex=*#ex")
    expect(latent.locator("#linked .row")).to_have_count(1)
    expect(latent.locator("#ex")).to_be_in_viewport()


def test_the_theme_is_kept_from_page_to_page_without_a_flash(listened, site):
    listened.emulate_media(color_scheme="light")
    listened.goto(f"{site}/demo/sae/3")
    listened.get_by_role("button", name="Light or dark").click()
    listened.keyboard.press("j")
    listened.wait_for_url("**/4")
    html = listened.request.get(listened.url).text()
    assert 'data-theme="dark"' in html
    background = "getComputedStyle(document.documentElement).backgroundColor"
    assert listened.evaluate(background) == "rgb(18, 19, 21)"


def test_letters_that_connect_are_neither_bold_nor_boxed(latent):
    peak = row_of(latent, 3).locator(".k")
    style = "e => [getComputedStyle(e).fontWeight, getComputedStyle(e).borderRadius]"
    assert peak.evaluate(style) == ["400", "0px"]
    assert row_of(latent, 0).locator(".k").evaluate(style) == ["650", "2px"]


def test_a_histogram_bar_says_its_count_and_leads_to_its_interval(latent):
    bar = latent.locator(".hist a").first
    bar.hover()
    expect(latent.locator("#readout")).to_contain_text(re.compile(r"to [\d.]+: \d+ tokens"))
    bar.click()
    assert latent.url.endswith("#i1")


class TestByFinger:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        size = {"width": 390, "height": 844}
        return {**browser_context_args, "viewport": size, "has_touch": True, "is_mobile": True}

    def test_a_tap_describes_a_token_and_a_second_opens_its_row(self, latent):
        row = row_of(latent, 0)
        row.locator(".k").tap()
        expect(latent.locator("#tip")).to_contain_text("position 4")
        expect(row).not_to_have_class(re.compile("open"))
        row.locator(".k").tap()
        expect(row).to_have_class(re.compile("open"))

    def test_the_card_is_a_sheet_at_the_bottom(self, latent):
        row_of(latent, 0).locator(".k").tap()
        box = latent.locator("#tip").bounding_box()
        assert (box["x"], round(box["y"] + box["height"]), box["width"]) == (0, 844, 390)

    def test_what_is_tapped_is_large_enough(self, latent):
        for link in latent.locator(".ladder a, .seg a, .step a, .menu button").all():
            if link.is_visible():
                assert link.bounding_box()["height"] >= 32


class TestWithoutScript:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_the_page_is_complete(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        expect(page.locator("#top-1 .k")).to_be_visible()
        expect(page.locator(".hist .lin").first).to_be_visible()
        expect(page.locator("button:not([type=submit]):visible")).to_have_count(0)

    def test_switches_are_links(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        page.get_by_role("link", name="Whole").click()
        expect(page.locator("main")).to_have_attribute("data-view", "whole")
        page.get_by_role("link", name="Numbers").click()
        assert page.url.endswith("?view=whole&num=on")
        expect(page.locator("main")).to_have_attribute("data-num", "on")

    def test_a_row_opens_by_its_number(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        row_of(page, SPLIT).locator(".value").click()
        assert "#ex" in page.url
        expect(page.locator("#ex s").last).to_be_visible()

    def test_jumping_works(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        page.locator("#q").fill("5")
        page.locator("#q").press("Enter")
        assert page.url.endswith("/demo/sae/5")


def test_the_form_of_logit_weights_is_switched_in_place_everywhere_it_shows(latent):
    raw, normalised = latent.locator("#logits .raw"), latent.locator("#logits .normalised")
    expect(normalised).to_be_visible()
    expect(raw).to_be_hidden()
    expect(latent.locator(".facts .normalised")).to_contain_text("logit weight")
    latent.get_by_role("link", name="raw", exact=True).click()
    expect(raw).to_be_visible()
    expect(normalised).to_be_hidden()
    expect(latent.locator(".facts .raw")).to_be_visible()
    expect(latent.locator(".facts .normalised")).to_be_hidden()
    expect(latent).to_have_url(re.compile(r"\?logits=raw$"))


def test_the_silent_group_has_a_key_and_its_selecting_token_reads_as_silent(latent):
    latent.keyboard.press("s")
    expect(latent.locator("#silent-1")).to_be_focused()
    expect(latent.locator("#tip")).to_contain_text("silent")
    expect(latent.locator("#silent-1 .k")).to_have_class(re.compile("at"))
    expect(latent.locator("#say")).to_contain_text("activation 0, position 4")
    assert latent.locator("#silent-1 .k").evaluate("e => getComputedStyle(e).fontWeight") == "650"


def test_the_numbers_at_the_side_never_cover_the_foot_of_the_page(latent):
    latent.set_viewport_size({"width": 1440, "height": 500})
    latent.evaluate("scrollTo(0, document.body.scrollHeight)")
    rail = latent.locator(".rail").bounding_box()
    foot = latent.locator(".provenance").bounding_box()
    related = latent.locator("#related").bounding_box()
    assert rail["y"] + rail["height"] <= related["y"] < foot["y"]
