"""The form of a blind session: it tells nothing of the source, keeps drafts, locks what is sent."""

import re

import msgspec
import pytest
from django.test import Client

from featureviz.annotate import explanations, sessions, workspaces
from featureviz.annotate.explanations import Signature
from featureviz.annotate.rating_models import Rating, RatingSession
from featureviz.annotate.sessions import Asked
from featureviz.browse.rating_page import in_shares
from featureviz.catalog.models import Dictionary, Membership, Run
from featureviz.catalog.permissions import Role
from tests.browse.test_ends import make_signed_run
from tests.factories import TEXTS, make_dashboard, make_run, tokenised

pytestmark = pytest.mark.django_db
SHARED = {"hypothesis": "Dates", "confidence": 2, "logits": 2, "gap": 1, "specificity": 3}


@pytest.fixture
def session(team, people):
    """All latents that fired of demo/sae and demo/neurons, rated by bob and edith."""
    workspaces.move(make_run(dictionary="neurons").dictionary, team)
    asked = Asked(
        name="First",
        seed=7,
        workspace=team,
        dictionaries=list(Dictionary.objects.all()),
        count=7,
        raters=[people["bob"], people["edith"]],
    )
    return sessions.create(asked, people["alice"])


def address(session, number=1):
    return f"/rate/{session.pk}/{number}"


def html_of(browser, path):
    reply = browser.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def number_of(session, dictionary, index):
    return session.latents.get(dictionary__name=dictionary, index=index).number


def whole(html, points=4):
    """Answers to every question a form asks."""
    groups = set(re.findall(r'name="(tokens-\w+)"', html))
    return SHARED | dict.fromkeys(groups, points)


def submit(browser, session, number, **change):
    html = html_of(browser, address(session, number))
    return browser.post(address(session, number), whole(html) | {"do": "submit"} | change)


def test_a_form_shows_the_groups_and_the_tokens_it_promotes(session, browsers):
    html = html_of(browsers["bob"], address(session))
    assert "Strongest contexts" in html
    assert "0.9 to 1.0 of its maximum" in html
    assert html.count('<li class="row"') > 10
    assert '<td class="n">1.00' in html


def test_a_form_tells_nothing_of_where_the_latent_is_from(session, people, browsers):
    for latent in session.latents.all():
        said = Signature(people["alice"])
        explanations.write(latent.dictionary, latent.index, "Secret words", said)
    key = Run.objects.first().key
    for number in range(1, session.latents.count() + 1):
        reply = browsers["bob"].get(address(session, number))
        html = reply.content.decode() + str(reply.headers)
        told = rf"sae|neuron|demo|topk|hook|JSON|/api/|Secret|{key[:12]}|bbbbbb"
        assert re.search(told, html) is None


def test_latents_of_two_dictionaries_that_fire_alike_have_the_same_form(session, browsers):
    """The pages differ in nothing but the number: not in a title, an attribute, or the order."""

    def seen(dictionary):
        html = html_of(browsers["bob"], address(session, number_of(session, dictionary, 3)))
        html = re.sub(r'<nav class="step".*?</nav>', "", html, flags=re.DOTALL)
        html = re.sub(r'value="\w{64}"|Latent \d+|Rate \d+|/rate/\d+/\d+', "", html)
        return re.sub(r"%2Frate%2F\d+%2F\d+", "", html)

    assert seen("sae") == seen("neurons")


def test_sizes_and_signs_of_activations_are_not_told():
    board = make_dashboard(3, tokenised(TEXTS), 8)

    def mirrored(examples):
        return tuple(
            msgspec.structs.replace(
                each,
                activation=-2 * each.activation,
                activations=tuple(-2 * activation for activation in each.activations),
            )
            for each in examples
        )

    negative = msgspec.structs.replace(
        board,
        max_activation=-2 * board.max_activation,
        top=mirrored(board.top),
        intervals=tuple(
            msgspec.structs.replace(
                each, lower=-2 * each.upper, upper=-2 * each.lower, examples=mirrored(each.examples)
            )
            for each in board.intervals
        ),
    )
    one, other = in_shares(board), in_shares(negative)
    assert (one.top, one.intervals) == (other.top, other.intervals)
    assert one.top[0].activation == 1
    assert max(each.upper for each in one.intervals) == 1


def test_a_draft_is_kept_and_shown_again(session, browsers):
    path = address(session, 2)
    reply = browsers["bob"].post(path, {"hypothesis": "Half a", "confidence": 2, "do": "draft"})
    assert reply.headers["Location"] == path
    html = html_of(browsers["bob"], path)
    assert "Half a</textarea>" in html
    assert re.search(r'name="confidence"\s+value="2"\s+checked', html)
    assert "Half a" not in html_of(browsers["edith"], path)


def test_what_a_script_sends_is_kept_without_a_word(session, browsers):
    path = address(session)
    assert browsers["bob"].post(path, {"hypothesis": "A", "do": "autosave"}).status_code == 204
    submit(browsers["bob"], session, 1)
    assert browsers["bob"].post(path, {"hypothesis": "B", "do": "autosave"}).status_code == 409
    assert Rating.objects.get().hypothesis == "Dates"


def test_what_is_submitted_is_locked_and_leads_to_the_next(session, browsers):
    reply = submit(browsers["bob"], session, 1)
    assert reply.headers["Location"] == address(session, 2)
    html = html_of(browsers["bob"], address(session))
    assert "You gave it 12 of 14 points" in html
    assert '<fieldset class="whole" disabled>' in html
    assert "Submit for good" not in html
    submit(browsers["bob"], session, 1, hypothesis="Other", confidence=0)
    assert Rating.objects.get().answers.hypothesis == "Dates"


def test_what_lacks_an_answer_stays_a_draft(session, browsers):
    submit(browsers["bob"], session, 1, **{"tokens-top": ""})
    html = html_of(browsers["bob"], address(session))
    assert "1 question is not answered." in html
    assert "Dates</textarea>" in html
    assert Rating.objects.get().submitted_at is None


def test_a_gap_is_refused_where_all_logits_agree(session, browsers):
    submit(browsers["bob"], session, 1, logits=3, gap=1)
    assert "no gap to rate" in html_of(browsers["bob"], address(session))
    assert Rating.objects.get().submitted_at is None
    submit(browsers["bob"], session, 1, logits=3, gap="")
    assert Rating.objects.get().answers.gap == 0


def test_who_finds_no_hypothesis_gives_no_points_and_is_asked_nothing_else(session, browsers):
    browsers["bob"].post(address(session), {"none": "on", "do": "submit"})
    assert "You gave it 0 of 14 points" in html_of(browsers["bob"], address(session))


def test_points_that_the_form_does_not_offer_are_refused(session, browsers):
    submit(browsers["bob"], session, 1, confidence=4)
    submit(browsers["bob"], session, 1, **{"tokens-top": "9"})
    submit(browsers["bob"], session, 1, hypothesis="x" * 2001)
    assert not Rating.objects.exists()


def test_only_those_who_were_asked_rate(session, people, browsers):
    found = {name: browser.get(address(session)).status_code for name, browser in browsers.items()}
    assert found == {
        "alice": 403, "bob": 200, "edith": 200, "rita": 403, "charlie": 404, "nobody": 404,
    }  # fmt: skip
    Membership.objects.filter(user=people["bob"]).update(role=Role.READER)
    assert browsers["bob"].get(address(session)).status_code == 403


def test_a_latent_whose_run_may_not_be_read_any_more_is_not_there(session, browsers, people):
    number = number_of(session, "neurons", 3)
    elsewhere = workspaces.create("Elsewhere", people["charlie"])
    workspaces.move(Dictionary.objects.get(name="neurons"), elsewhere)
    assert browsers["bob"].get(address(session, number)).status_code == 404
    assert "neurons" not in html_of(browsers["bob"], f"/rate/{session.pk}/")


def test_a_number_beyond_the_last_is_not_there(session, browsers):
    assert browsers["bob"].get(address(session, 99)).status_code == 404
    assert browsers["bob"].get(address(session, 10**30)).status_code == 404


def test_the_page_of_a_session_says_how_far_everybody_is_not_what_they_think(session, browsers):
    submit(browsers["bob"], session, 1)
    browsers["bob"].post(address(session, 2), {"confidence": 1, "do": "draft"})
    html = html_of(browsers["edith"], f"/rate/{session.pk}/")
    assert "1 of 14" in html
    assert "Dates" not in html
    own = html_of(browsers["bob"], f"/rate/{session.pk}/")
    assert re.search(rf'{address(session, 1)}"\s+class="rated"', own)
    assert re.search(rf'{address(session, 2)}"\s+class="draft"', own)
    assert "Rate latent 2" in own


def test_a_session_is_made_by_its_form(team, people, browsers):
    assert "A new session for The team" in html_of(browsers["bob"], "/rate/")
    dictionary = team.dictionaries.get()
    form = {"workspace": "the-team", "name": "Ours", "dictionary": dictionary.pk, "count": "3"}
    reply = browsers["bob"].post("/rate/", form | {"seed": "4", "rater": ["bob", "edith", "rita"]})
    made = RatingSession.objects.get()
    assert reply.headers["Location"] == made.get_absolute_url()
    assert (made.name, made.seed, made.created_by) == ("Ours", 4, people["bob"])
    assert set(made.raters.all()) == {people["bob"], people["edith"]}
    assert made.latents.count() == 3
    browsers["bob"].post("/rate/", form | {"seed": "x", "rater": "bob"})
    assert "The seed is a whole number" in html_of(browsers["bob"], "/rate/")
    assert RatingSession.objects.count() == 1


def test_without_accounts_the_owner_of_this_machine_rates_alone(store):
    client = Client(headers={"host": "localhost"})
    dictionary = make_run().dictionary
    form = {"workspace": "public", "name": "Mine", "dictionary": dictionary.pk, "count": "1"}
    client.post("/rate/", form | {"seed": "0", "rater": "owner"})
    session = RatingSession.objects.get()
    assert submit(client, session, 1).headers["Location"] == f"/rate/{session.pk}/"
    session.refresh_from_db()
    assert session.closed_at is not None


def test_a_latent_is_rated_from_its_page_by_who_knows_it(team, browsers):
    page = "/demo/sae/3"
    assert 'action="3/rate"' in html_of(browsers["bob"], page)
    assert 'action="3/rate"' not in html_of(browsers["rita"], page)
    form = browsers["bob"].post(f"{page}/rate").headers["Location"]
    assert browsers["bob"].post(f"{page}/rate").headers["Location"] == form
    session = RatingSession.objects.get()
    assert (session.is_blind, str(session.latents.get())) == (False, "demo/sae/3")
    assert submit(browsers["bob"], session, 1).headers["Location"] == f"/rate/{session.pk}/"
    assert "Not blind" in html_of(browsers["rita"], f"/rate/{session.pk}/report")
    assert "demo/sae/3" in html_of(browsers["bob"], "/rate/")
    assert "demo/sae/3" not in html_of(browsers["edith"], "/rate/")
    assert not browsers["edith"].get("/rate/").context["sessions"]


def test_of_a_signed_latent_the_end_shown_is_rated_as_if_it_were_the_positive_one(store):
    """The negative end of a signed latent is drawn as the factory's latent of the same numbers."""
    client = Client(headers={"host": "localhost"})
    make_signed_run()  # latent 0 has latent 0 of an unsigned run at one end, 4 at the other

    def seen(dictionary, index, end):
        begun = client.post(f"/demo/{dictionary}/{index}/rate", {"end": end})
        html = html_of(client, begun.headers["Location"])
        return re.findall(r'<li class="row".*?</li>|<h3>.*?</h3>', html, flags=re.DOTALL)

    signed = {end: seen("sae", 0, end) for end in ("pos", "neg")}
    make_run(dictionary="plain")
    assert signed["pos"] == seen("plain", 0, "pos")
    assert signed["neg"] == seen("plain", 4, "pos")
    assert signed["pos"] != signed["neg"]


def test_what_never_fired_is_not_rated(team, browsers):
    for index, end in ((7, "pos"), (3, "neg")):
        reply = browsers["bob"].post(f"/demo/sae/{index}/rate", {"end": end})
        assert reply.headers["Location"].startswith(f"/demo/sae/{index}")
    assert not RatingSession.objects.exists()
