"""Two people at once, each in a browser of their own: what one writes, the other sees, no more."""

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from featureviz.annotate import workspaces
from featureviz.annotate.models import Explanation, ShareLink
from featureviz.catalog.models import Dictionary, Membership
from featureviz.catalog.permissions import Role
from tests.browser.conftest import Complaints

PAGE = "/demo/sae/3"


@dataclass
class Screen:
    """A person's browser."""

    context: BrowserContext
    page: Page
    site: str

    def open(self, path=PAGE):
        reply = self.page.goto(self.site + path)
        return reply.status

    def write(self, form, text):
        """Open a form by its words, fill it, save it."""
        details = self.page.locator("details", has=self.page.locator("summary", has_text=form))
        details = details.last
        if details.get_attribute("open") is None:
            details.locator("summary").first.click()
        details.locator("textarea").first.fill(text)
        details.locator("button.main").first.click()


@pytest.fixture
def screens(site, settings, browser):
    """Alice, who owns the workspace; bob, her annotator; charlie, a stranger; and nobody."""
    settings.FEATUREVIZ_ACCOUNTS = True
    people = {name: User.objects.create_user(name) for name in ("alice", "bob", "charlie")}
    team = workspaces.create("The team", people["alice"])
    Membership.objects.create(workspace=team, user=people["bob"], role=Role.ANNOTATOR)
    workspaces.move(Dictionary.objects.get(), team)
    opened, complaints = {}, Complaints(site.removeprefix("http://"))
    for name in (*people, "nobody"):
        context = browser.new_context()
        if name in people:
            client = Client()
            client.force_login(people[name])
            session = {"name": "sessionid", "value": client.cookies["sessionid"].value}
            context.add_cookies([{**session, "url": site}])
        page = context.new_page()
        complaints.listen(page)
        opened[name] = Screen(context, page, site)
    yield opened
    for screen in opened.values():
        screen.context.close()
    refusals = ("404 (Not Found)", "409 (Conflict)")  # that a test provoked
    assert [said for said in complaints.said if not said.endswith(refusals)] == []


def test_what_one_explains_heads_the_page_of_the_other(screens):
    alice, bob = screens["alice"], screens["bob"]
    bob.open()
    bob.write("Write an explanation", "The *ending* of words")
    expect(bob.page.locator("h1")).to_have_text("The ending of words")
    alice.open()
    expect(alice.page.locator("h1")).to_have_text("The ending of words")
    expect(alice.page.locator("#explanations")).to_contain_text("bob")


def test_two_edits_at_once_keep_both(screens):
    alice, bob = screens["alice"], screens["bob"]
    bob.open()
    bob.write("Write an explanation", "Digits")
    alice.open()
    alice.page.locator("#explanations summary", has_text="Edit").click()
    bob.write("Edit", "Digits of years")
    alice.page.locator("#explanations details[open] textarea").fill("Digits in dates")
    alice.page.locator("#explanations details[open] button.main").click()
    expect(alice.page.locator("h1")).to_contain_text("Somebody else changed this text")
    expect(alice.page.locator("main")).to_contain_text("Digits of years")
    alice.page.get_by_role("button", name="Save as version 3").click()
    expect(alice.page.locator("h1")).to_have_text("Digits in dates")
    kept = [each.text for each in Explanation.objects.get().versions.all()]
    assert kept == ["Digits", "Digits of years", "Digits in dates"]


def test_a_draft_survives_a_closed_tab_and_is_forgotten_once_saved(screens):
    bob = screens["bob"]
    bob.open()
    form = "#explanations textarea"
    bob.page.locator(form).fill("Half a thought")
    bob.page.close()
    bob.page = bob.context.new_page()
    bob.open()
    expect(bob.page.locator(form)).to_have_value("Half a thought")
    expect(bob.page.locator(".draft")).to_contain_text("Your draft, not saved yet.")
    bob.page.locator("#explanations button.main").click()
    expect(bob.page.locator("h1")).to_have_text("Half a thought")
    bob.open()
    expect(bob.page.locator(".draft")).to_have_count(0)
    expect(bob.page.locator("#explanations > details textarea")).to_have_value("")


def test_a_draft_over_a_text_that_changed_meanwhile_overwrites_nothing(screens):
    alice, bob = screens["alice"], screens["bob"]
    bob.open()
    bob.write("Write an explanation", "Digits")
    bob.page.locator("#explanations summary", has_text="Edit").click()
    bob.page.locator("#explanations details[open] textarea").fill("Digits in dates")
    alice.open()
    alice.write("Edit", "Digits of years")
    bob.open()
    expect(bob.page.locator("#explanations details[open] textarea")).to_have_value(
        "Digits in dates"
    )
    bob.page.locator("#explanations details[open] button.main").click()
    expect(bob.page.locator("h1")).to_contain_text("Somebody else changed this text")


def test_a_comment_on_a_row_calls_somebody_who_answers(screens):
    alice, bob = screens["alice"], screens["bob"]
    bob.open()
    bob.page.locator("#top-2").hover()
    bob.page.keyboard.press("c")
    expect(bob.page.locator("#place")).not_to_have_value("")
    bob.page.keyboard.type("Is this one right, @alice?")
    bob.page.locator("#comments details[open] button.main").click()
    expect(bob.page.locator("#comments")).to_contain_text("Is this one right, @alice?")
    alice.open("/")
    alice.page.get_by_label("1 unread notification").click()
    expect(alice.page.locator("main")).to_contain_text("bob mentions you")
    alice.page.get_by_role("button", name="demo/sae/3").click()
    expect(alice.page.locator("#linked")).to_be_visible()
    alice.write("Answer", "It is.")
    expect(alice.page.locator("#comments")).to_contain_text("It is.")
    bob.open("/accounts/notifications/")
    expect(bob.page.locator("main")).to_contain_text("alice answers in a thread of yours")


def test_a_shared_page_opens_in_its_state_until_the_link_is_revoked(screens):
    bob, charlie = screens["bob"], screens["charlie"]
    assert charlie.open() == 404
    bob.open()
    bob.page.locator("[data-set=view][data-value='16']").click()
    bob.page.get_by_role("link", name="Share").click()
    bob.page.locator("#scope").select_option("comment")
    bob.page.get_by_role("button", name="Make the link").click()
    link = bob.page.locator("#link").inner_text()
    charlie.page.goto(link)
    expect(charlie.page).to_have_url(f"{charlie.site}{PAGE}?view=16")
    expect(charlie.page.locator("main")).to_have_attribute("data-view", "16")
    expect(charlie.page.locator("#explanations textarea")).to_have_count(0)
    charlie.write("Write a comment", "A stranger's remark")
    bob.open()
    expect(bob.page.locator("#comments")).to_contain_text("A stranger's remark")
    assert charlie.open("/demo/sae/4") == 404
    assert charlie.open("/demo/sae/") == 404
    bob.open(ShareLink.objects.get().get_absolute_url())
    expect(bob.page.locator("main")).to_contain_text("Opened 1 time.")
    bob.page.get_by_role("button", name="Revoke").click()
    assert charlie.open() == 404
    assert charlie.page.goto(link).status == 404
    assert screens["nobody"].open() == 404


def test_a_link_to_a_latent_shows_a_card(screens):
    bob = screens["bob"]
    bob.open("/demo/sae/5")
    bob.write("Write an explanation", "Capital letters")
    bob.open()
    bob.write("Write an explanation", "Like @demo/sae/5")
    bob.page.locator("#explanations a[data-latent='demo/sae/5']").hover()
    expect(bob.page.locator("#card")).to_contain_text("Capital letters")


def test_everything_is_written_without_javascript_too(screens, browser):
    bob = screens["bob"]
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(bob.context.cookies())
    plain = Screen(context, context.new_page(), bob.site)
    plain.open()
    plain.write("Write an explanation", "Digits")
    expect(plain.page.locator("h1")).to_have_text("Digits")
    plain.write("Edit", "Digits of years")
    expect(plain.page.locator("h1")).to_have_text("Digits of years")
    plain.write("Write a comment", "Sure?")
    expect(plain.page.locator("#comments")).to_contain_text("Sure?")
    context.close()
