"""No page has a serious fault of accessibility, in either theme: axe-core looks at all of them."""

from collections import Counter

import pytest
from axe_playwright_python.sync_playwright import Axe

from featureviz.catalog.models import Run
from tests.ablated import give_effects

GRAVE = {"serious", "critical"}
# every page there is, and the states of a latent's that look different
PAGES = [
    "/",
    "/demo/",
    "/demo/sae/",
    "/demo/sae/?show=dead",
    "/demo/sae/health",
    "/demo/sae/3",
    "/demo/sae/3?view=whole&num=on&br=on&sp=on",
    "/demo/sae/3?view=16&y=log&scale=all&under=direct",
    "/demo/sae/3?ex=0.4&tok=4",
    "/demo/sae/7",
    "/demo/sae/99",
    "/nowhere/",
    "/runs/",
    "/runs/{key}/",
    "/components/",
    "/rate/",
    "/api/",
    "/embed/demo/sae/3",
    "/search",
    "/search?q=self+density:<90%25+foo:x",
    "/search?q=zzz",
    "/search/text",
    "/search/text?text=def+walk",
    "/compare",
    "/compare?a=demo/sae/3&b=demo/sae/4",
    "/demo/sae/map",
    "/demo/sae/3/effects",
    "/demo/sae/3?text=def+walk",
    "/demo/sae/?cols=about,max,norm&density=>90%25",
    "/accounts/",
    "/accounts/activity/",
    "/accounts/notifications/",
    "/lists/",
    "/s/",
    "/workspaces/",
]


@pytest.fixture(scope="module")
def axe():
    """One reading of axe's source serves all pages."""
    return Axe()


@pytest.fixture
def site(site):
    """The site of one run, with effects."""
    give_effects(Run.objects.get())
    return site


def faults(axe, page):
    """What axe finds grave, with the places."""
    # to look into style sheets that import others, it would write them into the page
    options = {"preload": {"assets": ["media"]}, "resultTypes": ["violations"]}
    found = axe.run(page, options=options).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_grave_fault(page, site, axe, theme, width):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    key = Run.objects.get().key[:12]
    wrong = {}
    for path in PAGES:
        page.goto(site + path.format(key=key))
        if found := faults(axe, page):
            wrong[path] = found
    assert wrong == {}


def test_no_page_has_an_id_twice(page, site):
    key = Run.objects.get().key[:12]
    twice = {}
    for path in PAGES:
        page.goto(site + path.format(key=key))
        ids = Counter(page.locator("[id]").evaluate_all("all => all.map(each => each.id)"))
        if found := [name for name, count in ids.items() if count > 1]:
            twice[path] = found
    assert twice == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_opens_has_no_grave_fault(page, site, axe, theme):
    page.emulate_media(color_scheme=theme)
    page.goto(f"{site}/demo/sae/3")
    page.locator("#share summary").click()
    page.locator("#top-1 .k").click()
    page.locator(".hist a").first.click()
    page.locator("#top-2 .k").hover()
    assert faults(axe, page) == []
    page.keyboard.press("?")
    assert faults(axe, page) == []


def test_a_grave_fault_is_seen(page, site, axe):
    page.goto(site)
    page.evaluate("document.querySelector('main').innerHTML = '<img src=\"/static/mark.svg\">'")
    assert any("image-alt" in fault for fault in faults(axe, page))
