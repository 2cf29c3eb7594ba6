"""Pages that ask workers: what they show before, while and after an answer."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from featureviz.browse import asking
from featureviz.browse.by_text import ByText
from featureviz.catalog import questions
from featureviz.catalog.addresses import readable_runs
from featureviz.catalog.models import Question
from tests.ablated import give_effects
from tests.factories import make_run

pytestmark = pytest.mark.django_db
TEXT = "def walk(self)"


@pytest.fixture
def run(store, monkeypatch):
    monkeypatch.setattr(asking, "QUICK", 0.0)
    return make_run()


def seen(client, address):
    page = client.get(address)
    assert page.status_code == 200
    return re.sub(r"\s+", " ", page.content.decode())


def answered(run, kind, answer, **asked):
    question = questions.ask(run, kind, **asked)
    questions.answer(questions.claim(), answer)
    return question


def on_tokens(run, activations):
    tokens = [0, *range(1, len(activations))]
    return {
        "tokens": tokens,
        "counted": [bool(token) for token in tokens],
        "activations": activations,
    }


def active(answer, pairs):
    """An answer about all latents: (position, latent, value)."""
    positions, latents, values = (list(column) for column in zip(*pairs, strict=True))
    return {**answer, "positions": positions, "latents": latents, "values": values, "is_cut": False}


def test_a_typed_text_is_a_row_of_the_latents_own_scale(client, run):
    top = run.dashboard(3).max_activation
    answered(run, Question.Kind.TEXT, on_tokens(run, [0, 0, top, top / 100]), index=3, text=TEXT)
    page = seen(client, f"/demo/sae/3?text={TEXT}")
    [row] = re.findall(r'<li class="row open" id="own">(.*?)</li>', page)
    assert re.findall(r'<b class="(l\d+ ?k?)', row) == ["l10 k", "l1"]
    assert "Active on 2 of 3 tokens" in page
    assert (
        f"text={TEXT.split(maxsplit=1)[0]}" in re.search(r'rel="next"[^>]*href="([^"]*)"', page)[1]
    )


def test_a_silent_text_says_so(client, run):
    answered(run, Question.Kind.TEXT, on_tokens(run, [0, 0, 0]), index=3, text=TEXT)
    assert "Silent on all 2 tokens." in seen(client, f"/demo/sae/3?text={TEXT}")


def test_without_a_worker_the_page_keeps_the_question_and_names_the_command(client, run):
    page = seen(client, f"/demo/sae/3?text={TEXT}")
    assert "No worker is up" in page
    assert "celery -A featureviz worker" in page
    assert f">{TEXT}</textarea>" in page
    assert Question.objects.get().asked == {"index": 3, "text": TEXT}


def test_while_it_waits_the_page_tells_how_many_come_first_and_how_far_it_is(client, run):
    questions.i_am_here()
    questions.ask(run, Question.Kind.EFFECTS, index=1)
    asked = questions.ask(run, Question.Kind.EFFECTS, index=2)
    assert "1 question comes first" in seen(client, f"/questions/{asked.pk}")
    questions.claim()
    assert "Next in line" in seen(client, f"/questions/{asked.pk}")
    questions.note(questions.claim(), 3, 12)
    page = seen(client, f"/questions/{asked.pk}")
    assert "3 of 12 contexts" in page
    assert "data-ask" in page
    questions.answer(Question.objects.get(pk=asked.pk), None)
    assert "data-ask" not in seen(client, f"/questions/{asked.pk}")


def test_a_refusal_is_shown_as_it_was_said_and_escaped(client, run):
    questions.ask(run, Question.Kind.TEXT, index=3, text=TEXT)
    questions.refuse(questions.claim(), "<b>too long</b>")
    assert "&lt;b&gt;too long&lt;/b&gt;" in seen(client, f"/demo/sae/3?text={TEXT}")


def test_when_too_many_wait_the_page_says_to_come_back(client, run, monkeypatch):
    monkeypatch.setattr(questions, "MOST_WAITING", 0)
    assert asking.BUSY in seen(client, f"/demo/sae/3?text={TEXT}")
    assert client.post("/demo/sae/3/effects").status_code == 503


def test_a_long_text_is_kept_and_every_latent_finds_it_under_its_id(client, run):
    text = "שלום " * 500
    sent = client.post("/demo/sae/3/text?view=16", {"text": text})
    asked = Question.objects.get()
    query = parse_qs(urlsplit(sent.url).query)
    assert query == {"view": ["16"], "text": [f"~{asked.pk}"]}
    assert text in seen(client, sent.url)
    seen(client, f"/demo/sae/4?text=~{asked.pk}")
    assert Question.objects.get(asked__index=4).asked["text"] == text


def test_a_text_forgotten_is_said_to_be(client, run):
    gone = "~00000000-0000-0000-0000-000000000000"
    assert "no longer kept" in seen(client, f"/demo/sae/3?text={gone}")
    assert "no longer kept" in seen(client, f"/search/text?text={gone}")
    assert not Question.objects.exists()


def test_a_text_is_escaped(client, run):
    answered(run, Question.Kind.TEXT, on_tokens(run, [0, 1.0]), index=3, text="<script>")
    assert "<script>" not in seen(client, "/demo/sae/3?text=<script>").replace("<script type", "")


def test_effects_left_out_are_asked_for_on_a_page_that_waits(client, run):
    assert 'href="3/effects"' in seen(client, "/demo/sae/3")
    page = seen(client, "/demo/sae/3/effects")
    assert "left out the effects on" in page
    assert client.post("/demo/sae/3/effects").url == "/demo/sae/3/effects"
    assert Question.objects.get().asked == {"index": 3}
    page = seen(client, "/demo/sae/3/effects")
    assert "No worker is up" in page
    assert "<button" not in page.split("<main")[1].split("</main>")[0]
    questions.fail(questions.claim(), "The disk is full.")
    page = seen(client, "/demo/sae/3/effects")
    assert "The disk is full." in page
    assert "Ask again" in page
    client.post("/demo/sae/3/effects")
    assert Question.objects.get().is_open


def test_where_all_effects_are_there_nothing_is_asked(client, run):
    give_effects(run)
    assert "All its examples have their effects" in seen(client, "/demo/sae/3/effects")


@pytest.mark.parametrize("path", ["3/effects", "99/text", "99/effects"])
def test_what_is_not_there_or_not_published_cannot_be_asked_about(client, run, path):
    if not path.startswith("99"):
        run.published_at = None
        run.save()
    assert client.post(f"/demo/sae/{path}", {"text": "a"}).status_code == 404


@pytest.fixture
def by_text(run):
    """Latents 1 to 3 on three tokens, latent 2 the strongest, on the last."""
    answer = active(
        on_tokens(run, [0, 0, 0, 0]),
        [(1, 1, 0.5), (1, 3, 0.4), (2, 1, 0.7), (3, 2, 0.9), (3, 3, 0.1)],
    )
    answered(run, Question.Kind.LATENTS, answer, text=TEXT)

    def page(**query):
        return ByText.of({"text": TEXT, **query}, readable_runs())

    return page


def found(page):
    return [each.latent.index for each in page.found]


def test_latents_are_found_by_a_text_strongest_first(by_text):
    page = by_text()
    assert found(page) == [2, 1, 3]
    assert [each.position for each in page.found] == [3, 2, 1]
    assert [each.n_tokens for each in page.found] == [1, 2, 2]
    assert [token.n_active for token in page.tokens] == [0, 2, 1, 2]
    assert [token.is_counted for token in page.tokens] == [False, True, True, True]


def test_or_by_one_of_its_tokens(by_text):
    assert found(by_text(token="1")) == [1, 3]
    assert [each.activation for each in by_text(token="3").found] == [0.9, 0.1]
    assert found(by_text(token="77")) == [2, 1, 3]  # no such token: all of them


def test_or_by_another_measure(by_text, run):
    tops = {each.index: each.max_activation for each in run.latents.all()}
    shares = sorted([(0.9 / tops[2], 2), (0.7 / tops[1], 1), (0.4 / tops[3], 3)], reverse=True)
    assert found(by_text(sort="share")) == [index for _, index in shares]
    assert found(by_text(sort="tokens")) == [1, 3, 2]
    densities = {each.index: each.density for each in run.latents.all()}
    rarest = sorted([1, 2, 3], key=lambda index: (densities[index], index))
    assert found(by_text(sort="density")) == rarest


def test_densities_are_filtered_and_a_range_not_understood_is_said(by_text, run, client):
    middle = sorted(run.latents.filter(index__in=[1, 2, 3]).values_list("density", "index"))[1]
    page = by_text(density=f"<={middle[0]}")
    assert set(found(page)) < {1, 2, 3}
    assert middle[1] in found(page)
    assert "is not a range" in seen(client, f"/search/text?text={TEXT}&density=few")


def test_the_page_of_a_text_leads_to_its_latents_with_the_text(by_text, client):
    page = seen(client, f"/search/text?text={TEXT}&where=demo/sae&token=3")
    assert "2 latents" in page
    assert '/demo/sae/2?text=def%20walk%28self%29#own-text"' in page
    assert page.count("<tr>") == 3


def test_with_no_dictionary_the_page_says_what_to_do(client, db):
    assert "no dictionary to ask yet" in seen(client, "/search/text?text=a")
