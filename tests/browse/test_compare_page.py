"""Latents side by side: the answer in words, the numbers, the same text, and how to choose."""

import re
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from featureviz.browse.compare_page import ComparePage, in_words
from featureviz.catalog import questions
from featureviz.catalog.models import Job, Question
from featureviz.dashboards.comparisons import Meeting
from featureviz.dashboards.relations import Related, Relations
from featureviz.dashboards.store import write_pack
from tests.factories import BLOCK_SIZE, TEXTS, make_run
from tests.spools import fired, write_spool

pytestmark = pytest.mark.django_db
TWO = "/compare?a=demo/sae/0&b=demo/sae/3"


@pytest.fixture
def run(store):
    run = make_run()
    write_spool(run)
    return run


def html(client, path):
    reply = client.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def plain(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def title(client, path):
    return plain(re.findall(r"<h1>(.*?)</h1>", html(client, path), re.DOTALL)[0])


def places(run, latent):
    return {place for place, _ in fired(run)[latent]}


def test_the_title_is_the_answer_with_its_counts(client, run):
    both = len(places(run, 0) & places(run, 3))
    either = len(places(run, 0) | places(run, 3))
    expected = f"They overlap: both fire on {both} of the {either} tokens either does"
    assert title(client, TWO) == expected


@pytest.mark.parametrize(
    ("n_a", "n_b", "n_both", "words"),
    [
        (100, 110, 95, "Nearly the same: both fire on 95 of the 115 tokens either does"),
        (50, 200, 45, "a fires within b: on 90 % of its tokens b fires too, which fires 4.0 times"),
        (200, 50, 45, "b fires within a: on 90 % of its tokens a fires too, which fires 4.0 times"),
        (100, 100, 30, "They overlap: both fire on 30 of the 170 tokens either does"),
        (1000, 1000, 3, "Hardly alike: both fire on 3 of the 1 997 tokens either does"),
        (1000, 1000, 0, "Never together: none of 2 000 tokens"),
    ],
)
def test_the_answer_goes_by_the_tokens_each_fires_on(n_a, n_b, n_both, words):
    a, b = (
        SimpleNamespace(letter=letter, dashboard=SimpleNamespace(n_active=n))
        for letter, n in (("a", n_a), ("b", n_b))
    )
    pair: Any = SimpleNamespace(a=a, b=b, meeting=Meeting(n_both, n_a + n_b - n_both, None))
    assert plain(in_words(pair)).startswith(words)


def test_the_same_address_twice_is_no_comparison_and_says_so(client, run):
    said = html(client, "/compare?a=demo/sae/0&b=http://testserver/demo/sae/0")
    assert "It stands in a field before this one already." in said
    assert "What to hold beside demo/sae/0?" in said


def test_a_latent_that_never_fired_has_nothing_to_hold_beside_it(client, run):
    assert title(client, "/compare?a=demo/sae/0&b=demo/sae/7").startswith("demo/sae/7 never fired")


def test_of_more_than_two_the_most_alike_pair_is_named(client, run):
    path = "/compare?a=demo/sae/0&b=demo/sae/3&c=demo/sae/4&d=demo/sae/5"
    jaccards = {
        (one, other): len(places(run, one) & places(run, other))
        / len(places(run, one) | places(run, other))
        for one in (0, 3, 4, 5)
        for other in (0, 3, 4, 5)
        if one < other
    }
    closest = max(jaccards, key=jaccards.get)
    letters = dict(zip((0, 3, 4, 5), "abcd", strict=True))
    expected = f"Most alike are {letters[closest[0]]} and {letters[closest[1]]}."
    assert title(client, path).startswith(expected)
    assert html(client, path).count('class="pair"') == 6


def test_over_other_texts_the_page_says_so_and_draws_each_where_it_is_known(client, run):
    other = make_run(dictionary="other", texts=tuple(f"{text} More." for text in TEXTS))
    write_spool(other, tuple(f"{text} More." for text in TEXTS))
    said = html(client, "/compare?a=demo/sae/0&b=demo/other/0")
    assert "Their activations cannot be compared" in said
    assert "They were run over different texts." in plain(said)
    assert "not drawn:" in said
    assert 'id="a1-a"' in said
    assert 'id="a1-b"' not in said


def test_where_activations_were_deleted_the_page_opens_with_the_command(client, run):
    shutil.rmtree(run.folder / "shards")
    said = html(client, TWO)
    assert f"<code>python manage.py precompute --resume {run.key[:8]}</code>" in said
    assert 'id="a1-a"' in said


def test_each_context_is_drawn_once_for_each_latent_at_the_same_position(client, run):
    said = html(client, TWO)
    rows = re.findall(r'<li class="row"\s+id="(\w+)-(\w)".*?data-context="(\d+)"', said, re.DOTALL)
    assert rows
    by_text = {}
    for anchor, letter, context in rows:
        by_text.setdefault((anchor, context), []).append(letter)
    assert all(letters == ["a", "b"] for letters in by_text.values())
    contexts = [context for _, context in by_text]
    assert len(set(contexts)) == len(contexts)


def test_on_the_shared_scale_equal_activations_have_equal_colours(run):
    query = {"a": "demo/sae/0", "b": "demo/sae/6"}  # the second has a far smaller maximum
    shared, own = ComparePage.of(query), ComparePage.of(query | {"scale": "own"})
    weak = [
        max((lit.level for lit in row.lit.values()), default=0)
        for page in (shared, own)
        for group in page.groups
        for text in group.texts
        for each, row in text.rows
        if each.letter == "b" and row.lit
    ]
    assert {1, 10} <= set(weak)
    assert shared.end_of_scale(shared.latents[1]) == shared.latents[0].dashboard.max_activation
    assert own.end_of_scale(own.latents[1]) == own.latents[1].dashboard.max_activation


def test_histograms_face_each_other_on_one_axis_or_each_on_its_own(client, run):
    """The last bar ends where the latent's maximum lies on the axis."""
    small, large = (run.dashboard(index).max_activation for index in (6, 0))
    for scale, expected in (("shared", 100 * small / large), ("own", 100.0)):
        said = html(client, f"/compare?a=demo/sae/0&b=demo/sae/6&scale={scale}")
        first, second = re.findall(r'<svg class="plot hist".*?</svg>', said)
        for plot, end in ((first, 100.0), (second, expected)):
            x, width = re.findall(r'x="([\d.]+)" width="([\d.]+)"', plot)[-1]
            assert float(x) + float(width) == pytest.approx(end, abs=0.02)


def test_switches_and_letters_stand_in_the_address(client, run):
    said = html(client, f"{TWO}&scale=own&num=on&view=16")
    assert 'data-view="16"' in said
    assert 'data-num="on"' in said
    assert "a=demo/sae/0&amp;b=demo/sae/3&amp;scale=own&amp;view=16&amp;num=on" in said
    assert "each coloured up to its own strongest" in said


def test_without_latents_the_page_says_how_to_choose_them(client, store):
    said = html(client, "/compare")
    assert "Type or paste the addresses" in said
    assert said.count("model/dictionary/index") >= 2


def test_an_address_that_leads_nowhere_is_said_at_its_field_and_escaped(client, run):
    said = html(client, "/compare?a=demo/sae/0&b=demo/sae/<99>")
    assert "There is no latent at <bdi>demo/sae/&lt;99&gt;</bdi>" in said
    assert 'value="demo/sae/0"' in said


def test_a_single_latent_is_offered_those_related_to_it(client, run):
    related = Related(5, 12, 0.5, 0.25, 0.1, 0.1)
    for block in range(2):
        latents = range(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
        job = Job.objects.create(
            run=run, other=run, kind=Job.Kind.RELATE, number=block, size=4, state="done"
        )
        write_pack(job.product, [Relations(each, (related,)) for each in latents])
    said = html(client, "/compare?a=demo/sae/0")
    assert 'href="?a=demo/sae/0&amp;b=demo/sae/5"' in said
    assert "both fire on 12 tokens, 25 % of those either does" in plain(said)


def test_figures_that_need_weights_say_when_no_worker_is_up(client, run):
    assert "Not computed for this pair yet." in plain(html(client, TWO))
    client.post(f"{reverse('compare-weights')}?a=demo/sae/0&b=demo/sae/3")
    said = plain(html(client, TWO))
    assert "No worker is up, so nobody can answer yet. celery -A featureviz worker" in said
    assert "Compute them" not in said


def test_a_worker_is_asked_when_the_reader_says_so_and_its_answer_is_shown(client, run):
    assert "Compute them" in html(client, TWO)
    assert not Question.objects.exists()
    path = f"{reverse('compare-weights')}?a=demo/sae/0&b=demo/sae/3"
    reply = client.post(path)
    assert reply.headers["Location"] == TWO
    assert f'data-ask="/questions/{Question.objects.get().pk}"' in html(client, TWO)
    questions.answer(questions.claim(), {"cosine": 0.3219, "logit_correlation": -0.25})
    said = plain(html(client, TWO))
    assert "Decoder cosine 0.322" in said
    assert "Logit weights r −0.250" in said
    assert "Compute them" not in said


def test_asking_needs_more_than_a_link(client, run):
    assert client.get(reverse("compare-weights")).status_code == 405


def test_the_record_is_at_the_same_address_with_json(client, run):
    found = client.get(TWO.replace("compare", "compare.json")).json()
    assert [each["address"] for each in found["latents"]] == ["demo/sae/0", "demo/sae/3"]
    assert found["answer"].startswith("They overlap")
    assert client.get("/compare.json?a=demo/sae/0").status_code == 400
    lost = client.get("/compare.json?a=demo/sae/0&b=nowhere")
    assert (lost.status_code, lost.json()) == (404, {"error": "There is no latent at nowhere."})


def test_a_latents_page_and_its_related_latents_lead_here(client, run):
    test_a_single_latent_is_offered_those_related_to_it(client, run)
    said = html(client, "/demo/sae/3")
    assert 'href="/compare?a=demo/sae/3"' in said
    assert 'href="/compare?a=demo/sae/3&amp;b=demo/sae/5"' in said
