"""The map in a real browser: drawn under a strict policy, read, chosen from; and without it."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from featureviz.catalog.models import Run
from featureviz.dashboards.maps import write_map
from featureviz.engine.latent_map import latent_map
from tests.browser.conftest import Complaints

LATENTS = 8
DRAWN = """() => {
  let drawn = 0;
  for (const canvas of document.querySelectorAll(".stage canvas")) {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const plane = copy.getContext("2d");
    plane.drawImage(canvas, 0, 0);
    const { data } = plane.getImageData(0, 0, copy.width, copy.height);
    for (let at = 3; at < data.length; at += 4) drawn += data[at] > 0;
  }
  return drawn;
}"""


@pytest.fixture
def mapped(site):
    """The site's run with a map."""
    run = Run.objects.get()
    rows = np.random.default_rng(1).normal(size=(LATENTS, 6)).astype(np.float32)
    write_map(run.folder, latent_map(torch.from_numpy(rows), "d"))
    return f"{site}/demo/sae/map"


@pytest.fixture
def complaints(site):
    """As everywhere, but for what a graphics driver in software says of its speed."""

    class ButTheDriver(Complaints):
        def _console(self, kind, text):
            if "GL Driver Message" not in text:
                super()._console(kind, text)

    return ButTheDriver(site.removeprefix("http://"))


@pytest.fixture
def drawn(listened, mapped):
    listened.goto(mapped)
    expect(listened.locator("#how")).to_be_visible(timeout=30_000)
    return listened


def at(page, latent):
    """Where a latent's point is in the window."""
    return page.evaluate(
        """(index) => {
          const stage = document.querySelector(".stage");
          const { x, y } = stage.data[0];
          const { xaxis, yaxis } = stage._fullLayout;
          const box = stage.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.d2p(x[index]),
                  box.top + yaxis._offset + yaxis.d2p(y[index])];
        }""",
        latent,
    )


def test_points_are_drawn_and_the_policy_is_kept(drawn):
    assert drawn.evaluate(DRAWN) > LATENTS * 20  # each is a disc of nine pixels across
    expect(drawn.locator("#plot img")).to_have_count(0)
    expect(drawn.locator("#lost-plot")).to_be_hidden()


def test_pointing_at_a_point_describes_it_and_a_click_opens_it(drawn):
    x, y = at(drawn, 3)
    drawn.mouse.move(x + 1, y + 1)
    card = drawn.locator("#tip")
    expect(card).to_contain_text("demo/sae/3")
    expect(card).to_contain_text("density")
    drawn.mouse.click(x, y)
    expect(drawn).to_have_url(re.compile("/demo/sae/3$"))
    drawn.wait_for_load_state("networkidle")


def test_a_lasso_lists_what_it_holds_to_be_compared(drawn):
    lasso = drawn.get_by_role("button", name="Lasso")
    lasso.click()
    expect(lasso).to_have_attribute("aria-pressed", "true")
    box = drawn.locator(".stage").bounding_box()
    left, top = box["x"] + 12, box["y"] + 12  # inside the plot's margin
    right, bottom = left + box["width"] - 24, top + box["height"] - 24
    drawn.mouse.move(left, top)
    drawn.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        drawn.mouse.move(x, y, steps=4)
    drawn.mouse.up()
    expect(drawn.locator("#chosen-count")).to_have_text(f"{LATENTS} latents")
    boxes = drawn.locator("#chosen-rows input")
    compare = drawn.get_by_role("button", name="Compare", exact=True)
    expect(compare).to_be_disabled()
    for number in range(4):
        boxes.nth(number).check()
    expect(boxes.nth(4)).to_be_disabled()
    compare.click()
    expect(drawn).to_have_url(re.compile(r"/compare\?a=demo%2Fsae%2F\d&b=.*&c=.*&d="))


def test_a_colour_is_changed_in_place_and_stands_in_the_address(drawn):
    before = drawn.evaluate("() => String(document.querySelector('.stage').data[0].marker.color)")
    drawn.get_by_role("link", name="Maximum").click()
    expect(drawn).to_have_url(re.compile(r"\?colour=max$"))
    expect(drawn.locator("[data-legend=max]")).to_be_visible()
    expect(drawn.locator("[data-legend=density]")).to_be_hidden()
    after = drawn.evaluate("() => String(document.querySelector('.stage').data[0].marker.color)")
    assert before != after


def test_a_cluster_is_chosen_by_keyboard_and_stands_out(drawn):
    link = drawn.locator(".clusters [data-cluster='1']")
    link.focus()
    drawn.keyboard.press("Enter")
    expect(drawn).to_have_url(re.compile(r"cluster=1#chosen$"))
    expect(drawn.locator("#acts")).to_be_visible(timeout=30_000)
    chosen = drawn.locator("#chosen-rows tr").count()
    marked = "() => document.querySelector('.stage').data[0].selectedpoints?.length"
    assert drawn.evaluate(marked) == chosen > 0
    drawn.get_by_role("button", name="Put away").click()
    expect(drawn.locator("#chosen")).to_be_hidden()


def test_zooming_by_button_comes_closer_and_goes_back(drawn):
    reach = """() => {
      const [low, high] = document.querySelector(".stage")._fullLayout.xaxis.range;
      return high - low;
    }"""
    whole = drawn.evaluate(reach)
    drawn.get_by_role("button", name="Zoom in").click()
    drawn.wait_for_timeout(300)
    assert drawn.evaluate(reach) < 0.8 * whole
    drawn.get_by_role("button", name="Whole").click()
    drawn.wait_for_timeout(300)
    assert drawn.evaluate(reach) == pytest.approx(whole, rel=1e-6)


def test_nothing_of_the_plot_library_is_loaded_by_other_pages(page, site):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/demo/sae/", "/demo/sae/3"):
        page.goto(site + path)
        page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "plotly" in url]


def test_without_webgl_the_picture_stays_and_the_page_says_why(page, mapped):
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(mapped)
    expect(page.locator("#lost-plot")).to_contain_text("no WebGL", timeout=30_000)
    expect(page.locator("#plot img")).to_be_visible()


def test_the_page_never_scrolls_sideways(drawn):
    for width in (360, 390, 768, 1024, 1440, 2560):
        drawn.set_viewport_size({"width": width, "height": 800})
        assert drawn.evaluate("() => document.documentElement.scrollWidth") <= width


class TestTouch:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {
            **browser_context_args,
            "has_touch": True,
            "is_mobile": True,
            "viewport": {"width": 390, "height": 844},
        }

    def test_a_tap_describes_a_point_and_leads_to_it(self, drawn):
        drawn.locator("#plot").scroll_into_view_if_needed()
        drawn.touchscreen.tap(*at(drawn, 3))
        link = drawn.locator("#tip a")
        expect(link).to_have_text("demo/sae/3")
        assert "/map" in drawn.url
        link.tap()
        expect(drawn).to_have_url(re.compile("/demo/sae/3$"))
        drawn.wait_for_load_state("networkidle")


class TestWithoutScript:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_the_picture_the_legend_and_the_clusters_are_there(self, page, mapped):
        page.goto(f"{mapped}?colour=cluster")
        image = page.locator("#plot img")
        expect(image).to_be_visible()
        assert page.request.get(image.evaluate("image => image.src")).ok
        expect(page.locator("[data-legend=cluster]")).to_be_visible()
        expect(page.locator("button:not([type=submit]):visible")).to_have_count(0)
        page.locator(".clusters tbody a").first.click()
        expect(page.locator("#chosen-rows tr").first).to_be_visible()
