"""Watching a run, in a real browser: it moves without a reload, and stops when the run is over."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from featureviz.catalog import claims, runs
from featureviz.catalog.models import Run
from tasks import jobs
from tests.catalog import toy

KEY = "ab" * 32
LONG = "a-very-long-dictionary-name." * 3


@pytest.fixture
def run(transactional_db, store):
    return toy.register(store, work=replace(toy.WORK, key=KEY))


@pytest.fixture
def site(run, live_server):
    """The address of a site whose one run is not begun."""
    return live_server.url


@pytest.fixture
def opened(listened, site):
    """The run's page, open; the test fails if the browser complains of anything."""
    listened.goto(f"{site}/runs/{KEY[:8]}/")
    return listened


def bar(page):
    return page.locator("#moving progress")


def test_the_page_moves_as_the_work_does(opened, run):
    opened.evaluate("window.same = true")
    expect(opened.locator("#live")).to_contain_text("celery -A featureviz worker")
    job = claims.claim("gpu-3:boot:1:412", run)
    claims.beat(job, 2)
    expect(bar(opened)).to_have_js_property("value", 2)
    expect(opened.locator("#live")).to_contain_text("process 412 on gpu-3")
    expect(opened.locator("#live")).not_to_contain_text("celery -A featureviz worker")
    claims.finish(job)
    expect(bar(opened)).to_have_js_property("value", 3)
    assert opened.evaluate("window.same")


def test_when_the_run_is_done_the_page_says_so_leads_on_and_stops_asking(opened, run):
    jobs.work(toy.open_bench, run)
    expect(opened.locator("#say")).to_have_text("A/0: Done.")
    expect(opened.get_by_role("link", name="Read the 10 latents of A/0")).to_be_visible()
    requests = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.wait_for_timeout(2500)
    assert requests == []


def test_while_the_run_goes_on_the_page_does_ask(opened):
    with opened.expect_request(re.compile(r"/live$"), timeout=3000):
        pass


def test_when_the_run_fails_the_page_says_why_and_how_to_go_on(opened, run):
    claims.fail(claims.claim("w", run), "The disk is full.")
    expect(opened.locator("#say")).to_have_text("A/0: Failed.")
    expect(opened.locator("#live")).to_contain_text("The disk is full.")
    expect(opened.get_by_role("button", name="Resume")).to_be_visible()


def test_an_opened_question_stays_open_while_the_numbers_move(opened, run):
    opened.get_by_text("Cancel…").click()
    button = opened.get_by_role("button", name="Cancel the run")
    button.focus()
    claims.beat(claims.claim("w", run), 2)
    expect(bar(opened)).to_have_js_property("value", 2)
    expect(button).to_be_focused()


def test_a_run_is_cancelled_and_resumed_by_its_buttons(opened, run):
    expect(opened.get_by_role("button", name="Cancel the run")).to_be_hidden()
    opened.get_by_text("Cancel…").click()
    opened.get_by_role("button", name="Cancel the run").click()
    expect(opened.get_by_role("status").first).to_contain_text("Cancelled.")
    opened.get_by_role("button", name="Resume").click()
    expect(opened.get_by_role("status").first).to_contain_text("Resumed.")
    run.refresh_from_db()
    assert run.state == Run.State.PLANNED


def test_a_button_that_came_with_the_news_works(opened, run):
    claims.fail(claims.claim("w", run), "The disk is full.")
    opened.get_by_role("button", name="Resume").click()
    expect(opened.get_by_role("status").first).to_contain_text("Resumed.")


@pytest.mark.parametrize("fault", ["away", "broken"])
def test_a_server_that_is_lost_leaves_the_last_state_and_is_found_again(page, site, run, fault):
    def lose(route):
        return route.abort() if fault == "away" else route.fulfill(status=500, body="<p>No.</p>")

    claims.beat(claims.claim("w", run), 2)
    page.goto(f"{site}/runs/{KEY[:8]}/")
    page.route("**/live", lose)
    expect(page.locator("#stale")).to_contain_text(re.compile(r"how it stood at \d"))
    expect(bar(page)).to_have_js_property("value", 2)
    page.unroute("**/live")
    expect(page.locator("#stale")).to_be_hidden(timeout=8000)


@pytest.mark.parametrize("state", [Run.State.PLANNED, Run.State.RUNNING, Run.State.FAILED])
def test_no_page_of_a_run_scrolls_sideways(page, site, run, state):
    run.dictionary.__class__.objects.update(name=LONG, hook=LONG)
    claims.claim(f"{LONG}:boot:1:412", run)
    Run.objects.update(state=state, problem=f"/{LONG * 3}: no such folder. `{LONG}`")
    runs.note_device(run, f"cuda: {LONG}")
    wide = []
    for path in ("/runs/", f"/runs/{KEY[:8]}/", "/"):
        page.goto(site + path)
        for width in (360, 390, 768, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append((path, width))
    assert wide == []


def test_runs_are_found_from_the_front_page(listened, site):
    listened.goto(site)
    listened.get_by_role("link", name="Runs").click()
    listened.get_by_role("link", name=KEY[:8]).click()
    expect(listened.locator("h1")).to_have_text("A/0")


class TestByFinger:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        size = {"width": 390, "height": 844}
        return {**browser_context_args, "viewport": size, "has_touch": True, "is_mobile": True}

    def test_what_is_tapped_is_large_enough(self, opened):
        opened.get_by_text("Cancel…").tap()
        for target in (opened.locator("summary"), opened.locator(".do")):
            assert target.bounding_box()["height"] >= 32


class TestWithoutScript:
    @pytest.fixture
    def browser_context_args(self, browser_context_args):
        return {**browser_context_args, "java_script_enabled": False}

    def test_a_reload_shows_how_the_run_stands(self, page, site, run):
        page.goto(f"{site}/runs/{KEY[:8]}/")
        claims.beat(claims.claim("w", run), 2)
        page.reload()
        expect(page.locator("#live")).to_contain_text("2 of 8")

    def test_a_run_is_cancelled_and_resumed(self, page, site, run):
        page.goto(f"{site}/runs/{KEY[:8]}/")
        page.get_by_text("Cancel…").click()
        page.get_by_role("button", name="Cancel the run").click()
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#live")).to_contain_text("Waiting to start")
