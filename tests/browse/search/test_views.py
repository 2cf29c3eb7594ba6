"""What a reader gets from the box."""

import html
import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from featureviz.annotate import explanations
from featureviz.annotate.explanations import Signature
from featureviz.browse.kept import KEPT
from featureviz.catalog.models import Run
from featureviz.catalog.runs import reindex
from featureviz.dashboards.finding import MOST_EXAMPLES
from tests.browse.search.conftest import comment, explain, searchable, tag
from tests.factories import make_run

pytestmark = pytest.mark.django_db


def page(client, **query):
    reply = client.get("/search", query)
    assert reply.status_code == 200, reply
    return reply.content.decode()


def text_of(markup):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", markup)))


def hits(markup):
    return re.findall(r"<code>([^<]+/[^<]+/\d+)</code>", markup)


@pytest.mark.parametrize(
    ("typed", "where", "target"),
    [
        ("5", "demo/sae", "/demo/sae/5"),
        (" 005 ", "demo/sae", "/demo/sae/5"),
        ("demo/sae/6", "", "/demo/sae/6"),
        ("/demo/sae/6", "other/x", "/demo/sae/6"),
        ("http://testserver/demo/sae/6?view=16#i7", "", "/demo/sae/6?view=16#i7"),
        ("https://elsewhere.example/demo/sae/6.json", "", "/demo/sae/6"),
    ],
)
def test_an_index_or_an_address_leads_straight_to_the_latent(client, run, typed, where, target):
    reply = client.get("/search", {"q": typed, "where": where})
    assert (reply.status_code, reply.headers["Location"]) == (302, target)


@pytest.mark.parametrize(
    "typed", ["//evil.example/a/1", "demo/sae/99", "http://x/y/1", "demo/sae/6?a=\r\nb", "5 6", "٣"]
)
def test_what_is_no_address_here_is_searched_and_never_leaves_the_site(client, run, typed):
    assert "<h1>" in page(client, q=typed, where="demo/sae")


def test_an_index_too_large_is_told_what_there_is(client, run):
    assert "demo/sae has 8 latents, 0 to 7." in text_of(page(client, q="99", where="demo/sae"))


def test_the_empty_box_says_what_can_be_asked_with_examples_that_work(client, run):
    markup = page(client)
    examples = [html.unescape(each) for each in re.findall(r'<dt>\s*<a href="\?q=([^"]+)', markup)]
    assert len(examples) == 9
    for example in examples:
        assert client.get(f"/search?q={example}").status_code == 200
        assert "problem" not in client.get(f"/search?q={example}").content.decode()


def test_each_latent_says_why_it_was_found_with_the_match_marked(client, run):
    explain(run, 3, "Fires on something <b>bold</b>")
    markup = page(client, q="something")
    assert hits(markup)[0] == "demo/sae/3"
    assert re.search(r"Fires on <mark>something</mark> &lt;b&gt;bold", markup)
    assert re.search(r'<mark class="on-chip"><bdi class="tok"[^>]*><i>␣</i>something', markup)
    assert "of its firing" in markup
    assert "and <mark>something</mark> else…" in markup
    assert re.search(r"(peaks in it in|in) \d+ of \d+ stored examples", text_of(markup))


def test_a_hit_drawn_before_says_what_is_said_now_and_marks_what_is_asked_now(client, run):
    said = explain(run, 3, "zebra stripes")
    KEPT.clear()
    first = page(client, q="zebra")
    assert "<mark>zebra</mark> stripes" in first
    assert page(client, q="zebra") == first
    assert "zebra <mark>stripes</mark>" in page(client, q="stripes")
    explanations.edit(said, "zebra crossings", Signature(said.author), version=1)
    tag(run, 3, "zebra", by="bob")
    again = page(client, q="zebra")
    assert "<mark>zebra</mark> crossings" in again
    assert "stripes" not in again
    assert "<small>bob</small>" in again


def test_a_comment_is_quoted_where_it_matches_and_leads_to_its_place(client, run):
    said = comment(run, 3, "I <b>think</b> of zebras here", example="0.4", token=2)
    markup = page(client, q="comment:zebras")
    assert "I &lt;b&gt;think&lt;/b&gt; of <mark>zebras</mark> here" in markup
    address = f"/demo/sae/3?ex=0.4&tok=2#comment-{said.pk}"
    assert f'href="{html.escape(address)}"' in markup
    assert f'id="comment-{said.pk}"' in client.get(address).content.decode()
    assert "<small>ada</small>" in markup


def test_a_tag_is_marked_and_leads_to_all_latents_with_it(client, run):
    tag(run, 3, "to check")
    markup = page(client, q="check")
    assert re.search(r'href="/lists/tag/to%20check"><bdi[^>]*>to <mark>check</mark>', markup)
    assert re.search(r'href="\?q=check&amp;kind=tag"', markup)


def test_the_peak_is_coloured_and_the_example_is_linked(client, run):
    markup = page(client, q='context:"something"')
    assert re.search(r' <mark><b class="l(10|[1-9]) peak">something</b></mark>', markup)
    place = re.search(r'href="(/demo/sae/\d\?ex=0\.\d+#ex)"', markup)[1]
    assert 'id="linked"' in client.get(place).content.decode()


def test_a_latent_found_by_numbers_alone_shows_its_strongest_context(client, run):
    markup = page(client, q="is:alive")
    assert len(hits(markup)) == 7
    assert markup.count("strongest</small>") == 7
    dead = text_of(page(client, q="is:dead"))
    assert "never fired" in dead
    assert "promotes" in dead


def test_text_of_the_corpus_is_escaped_in_its_own_direction(client, run):
    assert "&lt;script&gt;alert(" in page(client, q="alert")
    assert "<script>alert" not in page(client, q="alert")
    assert re.search(r'dir="rtl" lang="ar"', page(client, q="الوزير"))
    assert "<mark>الوزير</mark>" in page(client, q="الوزير")


@pytest.mark.parametrize("typed", ['"><script>x</script>', "\x00", "a" * 900, "'\"\\", "%00%ff"])
def test_whatever_is_typed_is_escaped_and_survives(client, run, typed):
    assert "<script>x" not in page(client, q=typed, kind=typed, where=typed, sort=typed, page=typed)


def test_operators_stand_as_chips_that_take_themselves_away(client, run):
    markup = page(client, q="something max:>0.1 is:alive", sort="-max")
    chips = re.findall(r'<code><bdi>([^<]+)</bdi></code>\s*<a href="([^"]+)"', markup)
    assert [html.unescape(text) for text, _ in chips] == ["something", "max:>0.1", "is:alive"]
    without = html.unescape(chips[1][1])
    assert without == "?q=something+is%3Aalive&sort=-max"
    assert hits(client.get(f"/search{without}").content.decode())


def test_what_is_not_understood_is_pointed_at(client, run):
    shown = text_of(page(client, q="something density:rare"))
    assert "density:rare density:rare is no number; write it as in density:<0.1%." in shown


def test_nothing_found_links_to_what_would_find_something(client, run):
    markup = page(client, q="fires:something is:dead")
    ways = re.findall(r'<a href="([^"]+)"><bdi>without ([^<]+)</bdi></a>\s*<small>(\d+)', markup)
    assert {term: int(count) for _, term, count in ways}["fires:something"] == 1
    for address, _, count in ways:
        found = client.get(f"/search{html.unescape(address)}").content.decode()
        assert len(hits(found)) == int(count)


def test_words_that_are_found_nowhere_can_be_run_as_a_text(client, run):
    markup = html.unescape(page(client, q="zebras & lions", where="demo/sae"))
    assert 'href="/search/text?text=zebras+%26+lions&where=demo%2Fsae"' in markup
    assert "/search/text?" not in page(client, q="fires:zebras")


def test_the_ways_and_the_places_are_counted_and_linked(client, run):
    searchable(dictionary="b", n_latents=5)
    markup = page(client, q="something", sort="-max")
    assert re.search(r'href="\?q=something&amp;kind=fires&amp;sort=-max"', markup)
    assert re.search(r'href="\?q=something&amp;where=demo%2Fb&amp;sort=-max"', markup)


def test_a_place_that_is_not_there_is_everywhere(client, run):
    assert hits(page(client, q="something", where="demo/gone")) == hits(page(client, q="something"))


def test_a_frequent_word_is_said_to_count_only_at_peaks(client, run, monkeypatch):
    assert MOST_EXAMPLES > 0
    monkeypatch.setattr("featureviz.dashboards.finding.RunIndex.held.__defaults__", (0,))
    assert "only where the latent peaks in it" in text_of(page(client, q="context:gave"))


def test_of_a_frequent_word_no_count_is_told_that_was_not_taken(client, run, monkeypatch):
    monkeypatch.setattr("featureviz.dashboards.finding.RunIndex.held.__defaults__", (0,))
    for index in range(8):
        explain(run, index, "gave")
    shown = text_of(page(client, q="gave"))
    assert "no peak in it" in shown
    assert "in 0 of" not in shown


def test_what_cannot_be_searched_yet_is_named_with_the_command(client, store):
    make_run()
    shown = text_of(page(client, q="something"))
    assert "python manage.py reindex demo/sae" in shown
    out = StringIO()
    call_command("reindex", "demo/sae", stdout=out)
    assert out.getvalue() == "demo/sae: 8 latents\n"
    assert hits(page(client, q="something"))
    call_command("reindex", stdout=out)
    with pytest.raises(CommandError, match="no dictionary at demo/gone"):
        call_command("reindex", "demo/gone")


def test_a_page_asks_the_database_little_however_many_are_found(
    client, run, django_assert_max_num_queries
):
    for index in range(8):
        explain(run, index, f"something {index}")
        comment(run, index, f"something {index}")
        tag(run, index, "something")
    with django_assert_max_num_queries(13):
        page(client, q="something has:explanation")


def test_no_page_is_without_the_box(client, run):
    for path in ("/", "/demo/", "/demo/sae/", "/demo/sae/3", "/runs/", "/nowhere/x/", "/search"):
        assert 'id="q"' in client.get(path).content.decode(), path
    assert 'name="where" value="demo/sae"' in client.get("/demo/sae/3").content.decode()


def complete(client, text, at=None, **query):
    at = len(text) if at is None else at
    reply = client.get("/search/complete", {"q": text, "at": at, **query})
    return json.loads(reply.content)


def test_operators_their_values_dictionaries_and_tokens_are_completed(client, run):
    offered = complete(client, "cat den")
    assert (offered["start"], offered["end"]) == (4, 7)
    assert offered["options"][0] == {
        "text": "density:", "hint": "share of tokens it fires on", "whole": False
    }  # fmt: skip
    assert [o["text"] for o in complete(client, "is:")["options"]] == [
        "is:alive", "is:dead", "is:ultralow",
    ]  # fmt: skip
    assert [o["text"] for o in complete(client, "dict:d")["options"]] == ["dict:demo/sae"]
    tokens = [o["text"] for o in complete(client, "-fires:someth")["options"]]
    assert tokens == ["-fires:something"]
    assert "fires:something" in [o["text"] for o in complete(client, "someth")["options"]]
    assert complete(client, "density:<")["options"][0]["text"] == "density:<0.1%"


def test_tags_are_completed_the_most_used_first(client, run):
    for index, name in ((1, "to check"), (2, "to check"), (1, "today"), (1, "odd")):
        tag(run, index, name)
    assert complete(client, "-tag:to")["options"] == [
        {"text": '-tag:"to check"', "hint": "2 latents", "whole": True},
        {"text": "-tag:today", "hint": "1 latent", "whole": True},
    ]
    assert [each["text"] for each in complete(client, "has:")["options"]] == [
        "has:explanation", "has:comment", "has:tag",
    ]  # fmt: skip


def test_tags_of_what_one_may_not_read_are_not_completed(browsers, team):
    run = Run.objects.get()
    reindex(run)
    tag(run, 1, "secret")
    assert [each["text"] for each in complete(browsers["rita"], "tag:s")["options"]] == [
        "tag:secret"
    ]
    searchable(dictionary="shown")
    assert complete(browsers["charlie"], "tag:s")["options"] == []


def test_completion_looks_at_the_term_at_the_cursor(client, run):
    offered = complete(client, "fires:someth is:dead", at=12)
    assert (offered["start"], offered["end"]) == (0, 12)
    assert offered["options"][0]["text"] == "fires:something"
    assert complete(client, "cat ")["options"] == []
    assert complete(client, "", at="x")["options"] == []
    assert complete(client, '"in the')["options"] == []


def test_only_what_is_readable_is_completed(client, run):
    make_run(dictionary="hidden", published=False)
    run.published_at = None
    run.save()
    assert complete(client, "fires:some")["options"] == []
    assert complete(client, "dict:")["options"] == []
