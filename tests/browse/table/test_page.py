"""The page of a table."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from featureviz.annotate.models import Explanation
from featureviz.browse.kept import KEPT
from featureviz.browse.table.page import PAGE_SIZE
from featureviz.catalog.models import Latent
from tests.factories import TEXTS, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return make_run()


def get(client, query="", status=200):
    reply = client.get(f"/demo/sae/{query}")
    assert reply.status_code == status
    return reply.content.decode()


def cells(html, index):
    """The cells of a latent's row, as text, by heading."""
    heads = re.findall(r"<th[^>]*>(.*?)</th>", html, re.S)
    row = re.search(rf'<tr[^>]*><td class="n"><a class="strong" href="{index}">.*?</tr>', html)
    found = re.findall(r"<td[^>]*>(.*?)</td>", row.group(), re.S)
    names = [plain(head).strip(" ↑↓") for head in heads]
    return dict(zip(names, map(plain, found), strict=True))


def plain(html):
    return " ".join(unescape(re.sub("<[^>]+>", "", html)).split())


def explain(run, index, text, **more):
    author, _ = User.objects.get_or_create(username="ada")
    made = {"dictionary": run.dictionary, "index": index, "text": text, "author": author}
    return Explanation.objects.create(**made, **more)


def test_an_explanation_stands_in_the_row_else_the_strongest_context(client, run):
    explain(run, 3, "fires on the\nsecond <b>word</b>")
    html = get(client)
    assert cells(html, 3)["explanation, or strongest context"] == "fires on the second <b>word</b>"
    Latent.objects.filter(index=2).update(top_context=0, top_position=3)
    KEPT.clear()  # rows of a real run never change
    html = get(client)
    assert TEXTS[0].split(" ")[2] in cells(html, 2)["explanation, or strongest context"]
    assert "&lt;b&gt;word" in html


def test_rows_drawn_before_are_as_they_were_and_are_not_read_again(client, run):
    explain(run, 3, "as it was")
    KEPT.clear()
    first = get(client, "?sort=-max")
    with CaptureQueriesContext(connection) as asked:
        assert get(client, "?sort=-max") == first
    assert not any("top_context" in query["sql"] for query in asked)


def test_a_row_drawn_before_has_the_explanation_of_now(client, run):
    about = "explanation, or strongest context"
    KEPT.clear()
    assert cells(get(client), 3)[about] != "new"
    explain(run, 3, "new")
    assert cells(get(client), 3)[about] == "new"
    Explanation.objects.update(withdrawn_at=timezone.now())
    assert cells(get(client), 3)[about] != "new"


def test_rows_drawn_while_the_corpus_was_away_are_drawn_again_when_it_is_back(client, run):
    about, corpus = "explanation, or strongest context", run.corpus.stored.folder
    Latent.objects.filter(index=2).update(top_context=0, top_position=3)
    KEPT.clear()
    corpus.rename(corpus.with_name("away"))
    assert cells(get(client), 2)[about].endswith("most often")
    corpus.with_name("away").rename(corpus)
    assert TEXTS[0].split(" ")[2] in cells(get(client), 2)[about]


def test_rows_are_drawn_with_the_columns_asked_for(client, run):
    KEPT.clear()
    every = cells(get(client), 3)
    few = cells(get(client, "?cols=max"), 3)
    assert few.items() <= every.items()
    assert set(few) == {"index", "max"}
    assert cells(get(client), 3) == every


def test_the_pinned_explanation_is_the_one_shown(client, run):
    explain(run, 3, "the oldest")
    explain(run, 3, "the pinned", is_pinned=True)
    assert cells(get(client), 3)["explanation, or strongest context"] == "the pinned"


def test_no_row_has_an_empty_cell_but_a_histogram_of_nothing(client, run):
    Latent.objects.filter(index=1).update(top_context=None, decoder_norm=None, fires_on=[])
    html = get(client, "?cols=about,density,norm,contexts,variation,fires,share,promotes,max")
    for index in range(8):
        assert "" not in cells(html, index).values()
    assert cells(html, 7)["explanation, or strongest context"] == "never fired"


def test_the_context_is_marked_at_its_peak_and_escaped(client, run):
    Latent.objects.filter(index=2).update(top_context=1, top_position=2)
    html = get(client)
    assert re.search(r'<b class="l8"> &lt;script&gt;alert\(.*?&lt;/script&gt;</b>', html)


def test_columns_are_chosen_in_the_address(client, run):
    html = get(client, "?cols=norm,max")
    assert list(cells(html, 3)) == ["index", "max", "norm"]
    assert "widest" not in html


def test_filters_are_chips_that_say_what_dropping_them_gives(client, run):
    html = get(client, "?density=>0&max=>1000")
    assert re.search(r'href="\?density=&gt;0"\s+title="7 latents without this filter"', html)
    assert "0 of 8 latents" in plain(html)


def test_an_empty_table_says_which_filter_to_drop_and_how_many_that_gives(client, run):
    said = plain(get(client, "?max=>1000&density=>0"))
    assert "Drop “max >1000” 7 latents" in said
    assert "Drop “density" not in said
    dead = plain(get(client, "?show=dead&max=>0"))
    assert "Drop “dead” 7 latents" in dead
    assert "Drop “max >0” 1 latent" in dead


def test_when_no_single_filter_is_to_blame_all_can_be_dropped(client, run):
    said = plain(get(client, "?max=>1000&density=>99%25"))
    assert "nor would one if a single filter were dropped" in said
    assert "Show all 8" in said


def test_a_range_that_is_none_is_told_and_left_out(client, run):
    said = plain(get(client, "?density=lots"))
    assert "“lots” is not a range: write 0.1%..1%, >3, <=0.5 or 7. It is left out." in said
    assert "8 latents" in said


def test_a_forms_address_becomes_the_views_own(client, run):
    reply = client.get("/demo/sae/?density=&max=>3&fires=&sort=-max&cols=max&cols=about")
    assert reply.status_code == 302
    assert reply.headers["Location"] == "/demo/sae/?sort=-max&max=%3E3&cols=max,about"


def test_forms_keep_what_they_do_not_ask(client, run):
    html = get(client, "?sort=-max&show=alive&max=>0&cols=max")
    filters, columns = re.findall(r"<form class=\"panel\">.*?</form>", html, re.S)
    assert re.search(r'type="hidden"\s+name="show"\s+value="alive"', filters)
    assert re.search(r'type="hidden"\s+name="cols"\s+value="max"', filters)
    assert re.search(r'type="hidden"\s+name="max"\s+value="&gt;0"', columns)
    assert re.search(r'type="hidden"\s+name="sort"\s+value="-max"', columns)


def test_a_page_costs_as_many_queries_as_it_has_kinds_of_rows(client, store):
    make_run(n_latents=3 * PAGE_SIZE)
    get(client)
    counts = []
    for query in ("?page=1", "?page=3&sort=-max&fires=the", "?sort=-explained"):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            get(client, query)
        counts.append(len(captured))
    assert max(counts) <= 5


def test_pages_lead_to_both_ends(client, store):
    make_run(n_latents=2 * PAGE_SIZE + 5)
    html = get(client, "?page=2&sort=-max")
    assert 'href="?sort=-max"' in html
    assert 'href="?sort=-max&amp;page=3"' in html
    assert "101–200 of 205" in plain(html)


def test_every_column_is_explained(client, run):
    said = plain(get(client))
    assert "density share of tokens Share of the corpus's tokens on which it is active." in said
    assert "weight logit per activation Its largest logit weight" in said
