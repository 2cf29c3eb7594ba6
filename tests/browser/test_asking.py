"""Asking a worker from a page: by keyboard, by pointer, without scripts."""

import re

from playwright.sync_api import expect

from featureviz.catalog import questions
from featureviz.catalog.models import Question, Run
from tests.ablated import give_effects


def answer_text(activations):
    """What a worker would say of the text asked last."""
    question = questions.claim()
    tokens = [0, *range(1, len(activations))]
    counted = [bool(token) for token in tokens]
    questions.answer(question, {"tokens": tokens, "counted": counted, "activations": activations})
    return question


def test_enter_runs_a_text_and_the_answer_appears_by_itself(latent):
    latent.get_by_label("A text to run latent 3 on").fill("def walk")
    latent.keyboard.press("Enter")
    expect(latent.locator(".own-text")).to_contain_text("No worker is up")
    expect(latent).to_have_url(re.compile(r"text=def\+walk"))
    assert answer_text([0, 0.5, 0.1]).asked == {"index": 3, "text": "def walk"}
    row = latent.locator("#own")
    expect(row.locator("b")).to_have_count(2)
    row.locator("b").first.hover()
    expect(latent.locator("#tip")).to_contain_text("0.5")


def test_shift_enter_breaks_the_line_and_letters_typed_are_no_keys(latent):
    box = latent.get_by_label("A text to run latent 3 on")
    box.focus()
    latent.keyboard.type("jk")
    latent.keyboard.press("Shift+Enter")
    latent.keyboard.type("j")
    expect(box).to_have_value("jk\nj")
    expect(latent).to_have_url(re.compile(r"/demo/sae/3$"))


def test_the_text_goes_along_to_the_next_latent_until_it_is_put_away(latent):
    latent.get_by_label("A text to run latent 3 on").fill("def")
    latent.get_by_role("button", name="Run").click()
    latent.get_by_role("link", name="4", exact=False).first.click()
    expect(latent.get_by_label("A text to run latent 4 on")).to_have_value("def")
    latent.locator(".own-text").get_by_role("link", name="put away").click()
    expect(latent).to_have_url(re.compile(r"/demo/sae/4$"))


def test_effects_are_asked_for_waited_for_and_shown(latent):
    latent.get_by_role("link", name="Compute them for this latent").click()
    latent.get_by_role("button", name="Compute them").click()
    expect(latent.locator(".asked")).to_contain_text("No worker is up")
    questions.i_am_here()
    held = questions.claim()
    questions.note(held, 4, 9)
    expect(latent.locator(".asked")).to_contain_text("4 of 9 contexts")
    give_effects(Run.objects.get())
    questions.answer(held, None)
    expect(latent.locator("[data-answered]")).to_be_visible()
    latent.get_by_role("link", name="Back to latent 3").click()
    expect(latent.locator(".effects")).to_contain_text("less likely")


def test_without_scripts_a_form_asks_and_a_reload_shows_the_answer(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/demo/sae/3")
    page.get_by_label("A text to run latent 3 on").fill("def walk")
    page.get_by_role("button", name="Run").click()
    answer_text([0, 0.5, 0.1])
    page.reload()
    expect(page.locator("#own b")).to_have_count(2)
    context.close()


def test_the_latents_of_a_text_are_sorted_by_a_token_that_is_clicked(listened, site):
    listened.goto(f"{site}/search/text")
    listened.get_by_label("The text").fill("def walk")
    listened.get_by_role("button", name="Find latents").click()
    question = questions.claim()
    answer = {"tokens": [0, 1, 2], "counted": [False, True, True], "is_cut": False}
    found = {"positions": [1, 2, 2], "latents": [1, 2, 3], "values": [0.9, 0.5, 0.4]}
    questions.answer(question, answer | found)
    rows = listened.locator("tbody tr")
    expect(rows).to_have_count(3)
    listened.locator(".typed a").nth(1).click()
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2")
    rows.first.get_by_role("link").click()
    expect(listened.get_by_label("A text to run latent 2 on")).to_have_value("def walk")
    assert Question.objects.filter(kind="text", asked__index=2).exists()
