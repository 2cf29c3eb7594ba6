"""Links to what is read, bars that pick tokens out, several peaks, copying, paper, frames."""

import re
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from playwright.sync_api import expect

from featureviz.browse.kept import KEPT
from featureviz.catalog.models import Run
from featureviz.dashboards.schema import Source
from featureviz.dashboards.store import write_pack
from tests.ablated import give_effects
from tests.browser.test_latent import row_of, x_of

ACTIVATIONS = "rows => rows.map(row => Number(row.dataset.a))"


def with_clipboard(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return lambda: page.evaluate("navigator.clipboard.readText()")


def selected(page, selector):
    """Select what two elements span."""
    page.evaluate(
        """selector => {
          const [first, ...rest] = document.querySelectorAll(selector);
          const last = rest.at(-1) ?? first;
          getSelection().setBaseAndExtent(first, 0, last, last.childNodes.length);
        }""",
        selector,
    )


# ---------- links ----------


def test_a_key_copies_the_link_to_the_token_read_and_the_link_leads_back(latent):
    clipboard = with_clipboard(latent)
    row_of(latent, 0).focus()
    latent.keyboard.press("ArrowRight")
    told = latent.locator("#say").inner_text()
    position = re.search(r"position (\d+)", told).group(1)
    latent.keyboard.press("y")
    expect(latent.locator("#tip")).to_contain_text("Link copied")
    link = clipboard()
    assert parse_qs(urlsplit(link).query) == {"ex": ["0.4"], "tok": [position]}
    latent.goto(link)
    expect(latent.locator("#ex #token")).to_be_visible()
    expect(latent.locator("#tip")).to_contain_text(f"position {position} · context 0")


def test_without_a_token_the_key_copies_the_address_of_the_page(latent):
    clipboard = with_clipboard(latent)
    latent.keyboard.press("n")
    latent.keyboard.press("y")
    expect(latent.locator("[data-copy=address]")).to_have_text("Link copied")
    assert clipboard() == latent.url
    assert latent.url.endswith("?num=on")


def test_a_context_is_linked_to_at_any_of_its_tokens(latent, site):
    latent.goto(f"{site}/demo/sae/3?ex=0.7#ex")
    expect(latent.locator("#ex .k")).to_have_count(1)
    latent.locator("#ex .k").hover()
    expect(latent.locator("#tip")).to_contain_text("position 7 · context 0")


def test_an_interval_has_an_address(latent, site):
    latent.goto(f"{site}/demo/sae/3#i1")
    expect(latent.locator("#i1")).to_be_in_viewport()
    expect(latent.locator("#i1 .self")).to_have_attribute("href", "#i1")


# ---------- the histogram ----------


def test_a_bar_picks_its_tokens_out_and_a_second_click_lets_go(latent):
    bar = latent.locator(".hist a").first
    low, high = map(float, re.findall(r"[\d.]+", bar.locator("title").text_content())[:2])
    every = latent.locator(".row b[data-a]").evaluate_all(ACTIVATIONS)
    bar.click()
    chosen = latent.locator(".row b.in")
    expect(latent.locator("#readout")).to_contain_text(f"{chosen.count()} on this page")
    assert sorted(chosen.evaluate_all(ACTIVATIONS)) == sorted(
        value for value in every if low < value <= high
    )
    assert 0 < chosen.count() < len(every)
    bar.click()
    expect(latent.locator("main")).not_to_have_attribute("data-bin", "chosen")


def test_bars_are_one_tab_stop_with_arrows_between_and_escape_lets_go(latent):
    latent.locator("[data-set=y]").last.focus()
    latent.keyboard.press("Tab")
    first = latent.locator("#readout").inner_text()
    latent.keyboard.press("ArrowRight")
    expect(latent.locator("#readout")).not_to_have_text(first)
    latent.keyboard.press("Home")
    expect(latent.locator("#readout")).to_have_text(first)
    latent.keyboard.press("Enter")
    expect(latent.locator("main")).to_have_attribute("data-bin", "chosen")
    expect(latent.locator("#say")).to_contain_text("on this page")
    assert latent.url.endswith("#i1")
    latent.keyboard.press("Escape")
    expect(latent.locator("main")).not_to_have_attribute("data-bin", "chosen")
    latent.keyboard.press("Tab")
    assert not latent.evaluate("document.activeElement.closest('.hist') !== null")


# ---------- several peaks ----------


@pytest.fixture
def several(latent):
    """A row of the weakest intervals, where several tokens are about as strong."""
    row = latent.locator(".row:has(.more)").first
    expect(row).to_be_visible()
    return row


def test_the_next_strong_token_is_put_in_the_column_round_and_round(latent, several):
    column = round(x_of(several.locator(".k")))
    first = several.locator(".value").inner_text()
    strong = int(several.locator(".more").inner_text().removeprefix("+")) + 1
    seen = [first]
    for _ in range(strong):
        before = several.locator(".value").get_attribute("href")
        several.locator(".more").click()
        expect(several.locator(".value")).not_to_have_attribute("href", before)
        assert round(x_of(several.locator(".k"))) == column
        seen.append(several.locator(".value").inner_text())
    assert seen[-1] == first
    assert len(set(seen)) == strong
    assert min(map(float, seen)) >= float(first) / 2


def test_the_key_p_turns_the_row_read_and_tells_its_token(latent, several):
    several.focus()
    before = several.locator(".value").get_attribute("href")
    latent.keyboard.press("p")
    expect(several.locator(".value")).not_to_have_attribute("href", before)
    position = parse_qs(urlsplit(several.locator(".value").get_attribute("href")).query)["ex"][0]
    expect(latent.locator("#tip")).to_contain_text(f"position {position.split('.')[1]} ·")
    before = latent.locator("#tip").inner_text()
    latent.keyboard.press("ArrowRight")
    expect(latent.locator("#tip")).not_to_have_text(before)


def test_a_turned_row_keeps_its_effects(latent, site):
    give_effects(Run.objects.get())
    latent.goto(f"{site}/demo/sae/3?view=whole")
    row = latent.locator("#i1 .row:has(.more)").first
    context = row.get_attribute("data-context")
    told = latent.locator(f"#top .row[data-context='{context}'] u").first
    told.hover()
    before = latent.locator("#tip").inner_text()
    row.locator(".more").click()
    latent.wait_for_load_state("networkidle")
    row.locator("u").first.hover()
    assert latent.locator("#tip").inner_text() == before


# ---------- the card ----------


def test_the_card_stands_where_the_reader_comes_from(latent):
    card = latent.locator("#tip")
    for number, is_above in ((2, True), (4, True), (3, False)):
        row = latent.locator(f"#top-{number}")
        latent.mouse.move(0, 0)
        row.locator(".k").hover()
        assert (card.bounding_box()["y"] < row.bounding_box()["y"]) == is_above


def test_the_card_says_where_attention_brought_the_token_from(latent, site):
    run = Run.objects.get()
    boards = [run.dashboard(index) for index in range(4)]
    example = msgspec.structs.replace(
        boards[3].top[0], sources=(Source(2, 1.5), Source(boards[3].top[0].position, -0.25))
    )
    boards[3] = msgspec.structs.replace(boards[3], top=(example, *boards[3].top[1:]))
    write_pack(run.folder / "blocks" / "00000.pack", boards)
    KEPT.clear()  # packs of a real run never change
    latent.goto(f"{site}/demo/sae/3")
    latent.locator("#top-1 .k").hover()
    lines = latent.locator("#tip .source")
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text(re.compile(r"Attention from.+−2.*\+1\.50"))
    expect(lines.last).to_contain_text(re.compile(r"itself.*−0\.25"))
    latent.locator("#top-2 .k").hover()
    expect(lines).to_have_count(0)


# ---------- copying ----------


def test_selected_rows_are_copied_as_they_are_seen(latent):
    clipboard = with_clipboard(latent)
    latent.keyboard.press("v")  # ±4
    selected(latent, "#top-1 p, #top-2 .marks")
    latent.keyboard.press("Control+c")
    lines = clipboard().split("\n")
    rows = [latent.locator(f"#top-{number}") for number in (1, 2)]
    assert [line.split("\t")[0] for line in lines] == [
        row.locator(".value").inner_text() for row in rows
    ]
    for line, row in zip(lines, rows, strict=True):
        assert line.split("\t")[1] == row.locator("p").inner_text()
    assert len(lines[0].split("\t")[1]) < len(rows[0].locator("p").text_content())


def test_in_line_view_text_beyond_the_edge_is_not_copied(latent):
    latent.set_viewport_size({"width": 900, "height": 700})
    clipboard = with_clipboard(latent)
    row_of(latent, 0).focus()
    latent.keyboard.press("x")
    latent.wait_for_timeout(50)
    lines = clipboard().split("\n")
    assert len(lines) == latent.locator("#top .row").count()
    texts = [row.text_content() for row in latent.locator("#top .row p").all()]
    shown = [line.split("\t")[1] for line in lines]
    assert all(part in whole for part, whole in zip(shown, texts, strict=True))
    assert any(part != whole for part, whole in zip(shown, texts, strict=True))


def test_with_numbers_shown_they_are_copied_too(latent):
    clipboard = with_clipboard(latent)
    latent.keyboard.press("n")
    latent.locator("#top").hover()
    latent.locator("#top [data-copy-rows]").click()
    expect(latent.locator("#top [data-copy-rows]")).to_have_text("Copied")
    peak = latent.locator("#top-1 .k")
    assert f"{peak.inner_text()}[{peak.get_attribute('data-a')}]" in clipboard()


def test_a_click_while_text_is_selected_opens_nothing(latent):
    row = row_of(latent, 0)
    row.locator(".k").dblclick()
    assert latent.evaluate("String(getSelection())")
    expect(row).not_to_have_class(re.compile("open"))
    latent.locator("h1").click()
    box = row.locator(".c").bounding_box()
    latent.mouse.move(box["x"] + 100, box["y"] + 12)
    latent.mouse.down()
    latent.mouse.move(box["x"] + 220, box["y"] + 12, steps=5)
    latent.mouse.up()
    assert latent.evaluate("String(getSelection()).length") > 5
    expect(row).not_to_have_class(re.compile("open"))


@pytest.mark.parametrize(
    "path",
    [
        "/demo/sae/3?view=16",
        "/demo/sae/3?view=whole",
        "/demo/sae/3?scale=100&ex=0.4&tok=4",
        "/embed/demo/sae/3",
        "/components/",
    ],
)
def test_no_page_with_effects_scrolls_sideways(page, site, path):
    give_effects(Run.objects.get())
    page.goto(site + path)
    for width in (360, 390, 600, 768, 1024, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


# ---------- colours, frames, paper ----------


def test_colours_reach_up_to_what_the_address_says(latent, site):
    full = latent.locator("#top-1 .k")
    expect(full).to_have_class(re.compile(r"\bl10\b"))
    latent.get_by_role("link", name="dictionary’s").click()
    expect(latent).to_have_url(re.compile(r"scale=all"))
    latent.goto(f"{site}/demo/sae/3?scale=100")
    expect(full).to_have_class(re.compile(r"\bl1\b"))
    expect(latent.locator(".scale a[aria-current]")).to_have_text("100.0")


def test_the_snippet_follows_what_is_chosen(latent, site):
    latent.locator("#share summary").click()
    latent.locator("#share input[value=logits]").uncheck()
    latent.locator("#share input[name=n]").fill("3")
    latent.locator("#share select").select_option("dark")
    snippet = latent.locator("#snippet").input_value()
    assert f'src="{site}/embed/demo/sae/3?show=hist,top&n=3&theme=dark"' in snippet
    assert snippet.startswith("<iframe ")


def test_a_frame_is_read_by_pointer_and_its_links_leave_it(listened, site):
    listened.goto(f"{site}/embed/demo/sae/3?n=3&theme=dark")
    expect(listened.locator(".row")).to_have_count(3)
    listened.locator("#top-1 .k").hover()
    expect(listened.locator("#tip")).to_contain_text("% of max")
    link = listened.locator("#top-1 .value")
    assert link.get_attribute("href").startswith(f"{site}/demo/sae/3?ex=")
    assert link.get_attribute("target") == "_blank"


def test_what_is_printed_has_no_chrome_and_is_light(latent):
    latent.emulate_media(media="print", color_scheme="dark")
    latent.set_viewport_size({"width": 703, "height": 1017})
    for selector in (".topbar", ".tools", "#share", "#top-1 .more"):
        expect(latent.locator(selector)).to_be_hidden()
    colour = "getComputedStyle(document.querySelector('h1')).color"
    assert latent.evaluate(colour) == "rgb(27, 28, 31)"
    for selector in ("h1", ".hist", "#logits", "#top-1"):
        box = latent.locator(selector).bounding_box()
        assert box["y"] + box["height"] < 1017


def test_with_forced_colours_active_tokens_and_pressed_switches_are_outlined(latent):
    latent.emulate_media(forced_colors="active")
    style = "e => getComputedStyle(e).outlineStyle"
    assert latent.locator("#top-1 .k").evaluate(style) == "solid"
    assert latent.locator(".switches a[aria-current]").first.evaluate(style) == "solid"
    assert latent.locator(".switches a:not([aria-current])").first.evaluate(style) == "none"


def test_the_next_latent_is_shown_without_asking_again(listened, site):
    asked = []
    listened.goto(f"{site}/demo/sae/3?num=on")
    listened.wait_for_load_state("networkidle")
    listened.wait_for_timeout(200)
    listened.keyboard.press("j")
    listened.wait_for_url("**/4?num=on")
    entry = listened.evaluate(
        "(({ transferSize, encodedBodySize }) => [transferSize, encodedBodySize])"
        "(performance.getEntriesByType('navigation')[0])"
    )
    assert asked == []
    assert entry[0] == 0 < entry[1]


def test_what_was_written_is_on_the_next_page_though_it_was_fetched_before(listened, site):
    listened.goto(f"{site}/demo/sae/3")
    listened.wait_for_load_state("networkidle")
    listened.wait_for_timeout(200)
    other = listened.context.new_page()
    other.goto(f"{site}/demo/sae/4")
    other.get_by_label("Explanation", exact=True).fill("Said of four")
    other.locator("#explanations").get_by_role("button", name="Save").click()
    expect(other.locator("h1")).to_contain_text("Said of four")
    listened.keyboard.press("j")
    listened.wait_for_url("**/4")
    expect(listened.locator("h1")).to_contain_text("Said of four")


def test_every_part_can_be_looked_at_on_one_page(listened, site):
    listened.goto(f"{site}/components/")
    listened.get_by_role("link", name="±16").click()
    expect(listened.locator("main")).to_have_attribute("data-view", "16")
    listened.locator("#top-1 .k").hover()
    expect(listened.locator("#tip")).to_contain_text("2.447")


class TestByFinger:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        size = {"width": 390, "height": 844}
        return {**browser_context_args, "viewport": size, "has_touch": True, "is_mobile": True}

    def test_the_sheet_links_to_its_token_and_scrolling_closes_it(self, latent):
        row_of(latent, 0).locator(".k").tap()
        link = latent.locator("#tip").get_by_role("link", name="Link to this token")
        expect(link).to_have_attribute("href", re.compile(r"ex=0\.4&tok=4#ex$"))
        latent.evaluate("scrollBy(0, 60)")
        expect(latent.locator("#tip")).to_be_hidden()

    def test_a_row_turns_by_a_tap(self, latent):
        row = latent.locator(".row:has(.more)").first
        before = row.locator(".value").get_attribute("href")
        row.locator(".more").tap()
        expect(row.locator(".value")).not_to_have_attribute("href", before)


class TestWithoutScript:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_the_next_strong_token_is_a_link(self, page, site):
        page.goto(f"{site}/demo/sae/3")
        link = page.locator(".more").first
        place = parse_qs(urlsplit(link.get_attribute("href")).query)["ex"][0]
        link.click()
        href = page.locator("#ex .value").get_attribute("href")
        assert parse_qs(urlsplit(href).query)["ex"] == [place]

    def test_a_linked_token_is_marked(self, page, site):
        page.goto(f"{site}/demo/sae/3?ex=0.4&tok=2#ex")
        expect(page.locator("#token")).to_be_visible()

    def test_a_frame_is_complete(self, page, site):
        page.goto(f"{site}/embed/demo/sae/3")
        expect(page.locator("#top-1 .k")).to_be_visible()
        expect(page.locator(".hist .lin").first).to_be_visible()


def test_text_between_the_narrow_and_the_middle_view_wraps_as_the_rest(latent, site):
    latent.goto(f"{site}/demo/sae/3?view=16")
    space = "e => getComputedStyle(e).whiteSpace"
    between = latent.locator("#top-1 s.n").last
    assert between.evaluate(space) == latent.locator("#top-1 p").evaluate(space) == "pre-wrap"


def test_every_row_reads_alike_whether_or_not_a_row_before_tells_its_tokens(latent):
    read = latent.evaluate(
        """async () => {
          const { marksOf } = await import("/static/js/marks.js");
          return [...document.querySelectorAll(".row")].map((row) => [row.dataset.context,
            marksOf(row).map((mark) => [mark.ids.join("+"), mark.position, mark.activation,
              mark.elements.map((each) => each.textContent).join("")].join()).join("|")]);
        }"""
    )
    active = [(context, marks) for context, marks in read if "|" in marks]
    silent = latent.locator("#silent .row").count()
    by_context = {}
    for context, marks in active[: len(active) - silent]:
        by_context.setdefault(context, set()).add(marks)
    assert len(active) > 2 * len(by_context)
    assert {len(each) for each in by_context.values()} == {1}


LAID_OUT = "rows => rows.checkVisibility({ contentVisibilityAuto: true })"


def test_groups_far_below_are_laid_out_when_a_reader_comes_near(listened, site):
    listened.set_viewport_size({"width": 1440, "height": 240})
    listened.goto(f"{site}/demo/sae/3")
    last = listened.locator("#silent .rows")
    assert not last.evaluate(LAID_OUT)
    assert listened.locator("#top .rows").evaluate(LAID_OUT)
    listened.goto(f"{site}/demo/sae/3#silent")
    expect(listened.locator("#silent h3")).to_be_in_viewport()
    assert last.evaluate(LAID_OUT)


def test_rows_not_laid_out_yet_are_copied_as_those_in_sight_are(listened, site):
    clipboard, copied = with_clipboard(listened), []
    for height in (240, 6000):
        listened.set_viewport_size({"width": 1440, "height": height})
        listened.goto(f"{site}/demo/sae/3")
        assert listened.locator("#silent .rows").evaluate(LAID_OUT) == (height > 240)
        selected(listened, ".groups .row")
        listened.keyboard.press("Control+c")
        copied.append(clipboard())
    assert copied[0] == copied[1]
    assert copied[0].count("\n") + 1 == listened.locator(".groups .row").count()
