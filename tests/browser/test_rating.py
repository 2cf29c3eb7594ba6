"""A blind session of two raters, each in a browser of their own, from its form to its report."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from featureviz.annotate import workspaces
from featureviz.annotate.rating_models import Rating, RatingSession
from featureviz.catalog.models import Dictionary, Workspace
from tests.browser.test_axe import faults
from tests.browser.test_people import screens  # noqa: F401 - the browsers of alice, bob, charlie
from tests.factories import make_run


@pytest.fixture
def raters(screens):  # noqa: F811
    """Alice and bob, asked to rate a latent of demo/sae and one of demo/neurons."""
    team = Workspace.objects.get(name="The team")
    workspaces.move(make_run(dictionary="neurons").dictionary, team)
    alice = screens["alice"]
    alice.open("/rate/")
    form = alice.page.locator("form.sheet", has=alice.page.locator(f"[value='{team.slug}']"))
    form.get_by_label("Name").fill("Sparse or not")
    for name in Dictionary.objects.values_list("name", flat=True):
        form.get_by_label(f"demo/{name}").check()
    form.get_by_label("bob").check()
    form.get_by_label("Latents of each dictionary").fill("1")
    form.get_by_role("button", name="Make the session").click()
    expect(alice.page.locator("h1")).to_have_text("Sparse or not")
    return alice, screens["bob"]


def questions(screen):
    return screen.page.locator(".question")


def rate_by_keys(screen, digit):
    """Answer every question with one key each."""
    screen.page.locator("#hypothesis").fill("Ends of words")
    screen.page.locator("h1").click()
    for _ in range(questions(screen).count()):
        screen.page.keyboard.press(digit)


def submit(screen):
    screen.page.get_by_role("button", name="Submit for good").click()


def test_two_people_rate_by_keys_and_a_click_then_the_report_opens(raters):
    alice, bob = raters
    session = RatingSession.objects.get()
    path = session.get_absolute_url()
    assert bob.context.request.get(f"{bob.site}{path}report").status == 403
    for screen in raters:
        screen.open(path)
        screen.page.get_by_role("link", name="Rate latent 1").click()
    rate_by_keys(alice, "1")
    assert "demo" not in alice.page.content()
    submit(alice)
    expect(alice.page.locator("h1")).to_contain_text("Latent 2")
    rate_by_keys(alice, "1")
    submit(alice)
    expect(alice.page.locator("main")).to_contain_text("You have rated all of them.")
    for number in (2, 1):
        bob.open(f"{path}{number}")
        bob.page.get_by_label("I find no hypothesis").check()
        submit(bob)
    bob.open(f"{path}report")
    expect(bob.page.locator("h1")).to_have_text("Report of Sparse or not")
    assert set(bob.page.locator(".spreads h3").all_inner_texts()) == {"demo/sae", "demo/neurons"}
    expect(bob.page.locator(".scores").first).to_have_attribute("aria-label", re.compile("median"))
    expect(bob.page.locator("main")).to_contain_text("Ends of words")
    assert faults(Axe(), bob.page) == []


def test_a_draft_outlives_a_closed_tab_and_another_machine(raters):
    _, bob = raters
    path = f"{RatingSession.objects.get().get_absolute_url()}1"
    bob.open(path)
    bob.page.locator("#hypothesis").fill("Half a thought")
    bob.page.locator("h1").click()
    bob.page.keyboard.press("2")
    expect(bob.page.locator("#kept")).to_have_text("Draft kept")
    assert faults(Axe(), bob.page) == []
    bob.page.close()
    bob.page = bob.context.new_page()
    bob.open(path)
    expect(bob.page.locator("#hypothesis")).to_have_value("Half a thought")
    expect(bob.page.locator("[name=confidence][value='2']")).to_be_checked()
    expect(questions(bob).nth(0)).not_to_have_class(re.compile("now"))
    assert Rating.objects.get().submitted_at is None


def test_where_all_logits_agree_the_gap_answers_itself(raters):
    alice, _ = raters
    alice.open(f"{RatingSession.objects.get().get_absolute_url()}1")
    alice.page.locator("[name=logits][value='3']").check()
    expect(alice.page.locator("[name=gap][value='0']")).to_be_checked()


def test_a_latent_is_rated_without_javascript(raters, browser):
    _, bob = raters
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    context.add_cookies(bob.context.cookies())
    page = context.new_page()
    page.goto(f"{bob.site}{RatingSession.objects.get().get_absolute_url()}1")
    page.locator("#hypothesis").fill("Ends of words")
    for name in {each.get_attribute("name") for each in page.locator("[type=radio]").all()}:
        page.locator(f"[name='{name}'][value='1']").check()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Submit for good").click()
    assert Rating.objects.get().submitted_at is not None
    context.close()
