"""What a reader gets at each address."""

import re
from contextlib import suppress

import msgspec
import pytest
from django.urls import Resolver404, resolve

from featureviz.browse.formats import signed
from featureviz.browse.table.page import PAGE_SIZE
from featureviz.catalog import runs
from featureviz.catalog.models import RESERVED, Job, Latent, Run
from featureviz.dashboards.schema import Source
from featureviz.dashboards.store import write_pack
from tests.factories import make_run

pytestmark = pytest.mark.django_db
PAGES = ["/", "/demo/", "/demo/sae/", "/demo/sae/3", "/demo/sae/7"]


@pytest.fixture
def run(store):
    return make_run()


def get(client, path, status=200):
    reply = client.get(path)
    assert reply.status_code == status, reply
    return reply.content.decode()


def indices(html: str) -> list[int]:
    """The latents of a table, from top to bottom."""
    return [int(index) for index in re.findall(r'<a class="strong" href="(\d+)">', html)]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_and_brings_nothing_inline(client, run, path):
    html = get(client, path)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)


@pytest.mark.parametrize("path", [*PAGES, "/demo/sae/99", "/api/feature/demo/sae/1"])
def test_every_reply_forbids_what_is_not_ours(client, run, path):
    policy = client.get(path).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_an_empty_site_says_how_to_begin(client, store):
    html = get(client, "/")
    assert "make demo" in html
    assert "manage.py precompute" in html


def test_the_front_page_counts_what_is_here(client, run):
    html = get(client, "/")
    assert 'href="/demo/sae/"' in html
    assert "blocks.0.mlp.hook_post" in html
    assert "Nothing is published" not in html


def test_a_run_under_way_shows_how_far_it_is(client, store):
    unfinished = make_run(published=False)
    Job.objects.create(run=unfinished, kind=Job.Kind.SHARD, number=0, size=1000, done=420)
    html = get(client, "/")
    assert re.search(r"Reading contexts: 420 of 1\u202f000\s+contexts", html)
    assert 'data-poll="1"' in html


def test_a_failed_run_says_why(client, store):
    make_run(published=False)
    Run.objects.update(state=Run.State.FAILED, problem="The disk is full.")
    assert "The disk is full." in get(client, "/")


@pytest.mark.parametrize("path", [*PAGES[1:], "/api/feature/demo/sae/3", "/demo/sae/random"])
def test_what_is_not_published_reads_as_if_it_were_not_there(client, store, path):
    make_run(published=False)
    hidden = get(client, path, 404)
    Run.objects.all().delete()
    assert hidden == get(client, path, 404)


def test_the_newest_published_run_is_shown(client, run):
    newer = make_run()
    key = newer.key[:12]
    assert key in get(client, "/demo/sae/3")


@pytest.mark.parametrize("sort", ["index", "-index", "density", "-density", "max", "-max", "-mean"])
def test_the_table_is_sorted_by_the_server(client, run, sort):
    fields = {"max": "max_activation", "mean": "mean_activation"}
    name = sort.removeprefix("-")
    rows = sorted(Latent.objects.all(), key=lambda latent: latent.index)
    rows.sort(key=lambda row: getattr(row, fields.get(name, name)), reverse=sort.startswith("-"))
    assert indices(get(client, f"/demo/sae/?sort={sort}")) == [row.index for row in rows]


def test_a_sort_nobody_knows_is_by_index(client, run):
    assert indices(get(client, "/demo/sae/?sort=run__key")) == list(range(8))


@pytest.mark.parametrize(
    ("show", "left"), [("all", range(8)), ("alive", range(7)), ("dead", [7]), ("odd", range(8))]
)
def test_the_table_can_leave_dead_latents_out(client, run, show, left):
    assert indices(get(client, f"/demo/sae/?show={show}")) == list(left)


def test_the_table_is_cut_into_pages_that_keep_sort_and_filter(client, store):
    make_run(n_latents=2 * PAGE_SIZE + 5)
    html = get(client, "/demo/sae/?sort=-index&show=alive&page=2")
    assert indices(html)[0] == 2 * PAGE_SIZE + 5 - 2 - PAGE_SIZE
    assert re.search(r'rel="next"\s+href="\?sort=-index&amp;show=alive&amp;page=3"', html)
    assert re.search(r'rel="prev"\s+href="\?sort=-index&amp;show=alive"', html)


@pytest.mark.parametrize("page", ["0", "-1", "999", "x", ""])
def test_a_page_that_is_not_there_is_the_nearest(client, run, page):
    assert indices(get(client, f"/demo/sae/?page={page}")) == list(range(8))


def test_the_count_stands_beside_the_percentage(client, run):
    board = run.dashboard(3)
    html = get(client, "/demo/sae/3")
    assert f"{board.n_active} of {board.n_tokens} tokens" in html


def test_every_interval_gives_its_exact_count(client, run):
    html = get(client, "/demo/sae/3")
    for number, interval in zip(range(10, 0, -1), run.dashboard(3).intervals, strict=True):
        assert f'title="Interval {number}: {interval.n_active} tokens"' in html


def test_every_bar_of_the_histogram_gives_its_exact_count(client, run):
    titles = re.findall(r"<title>[\d. ]+to [\d. ]+: (\d+) tokens", get(client, "/demo/sae/3"))
    assert tuple(map(int, titles)) == run.dashboard(3).histogram.counts


def part_of(html, name):
    """A section of the rail."""
    return re.search(rf'<section class="{name}".*?</section>', html, flags=re.DOTALL).group()


def test_ten_tokens_are_promoted_and_ten_suppressed_in_either_form(client, run):
    tables = re.findall(r"<table>(.*?)</table>", get(client, "/demo/sae/3"), flags=re.DOTALL)
    assert [table.count("<tr>") for table in tables] == [10] * 4


@pytest.mark.parametrize(
    ("query", "form"),
    [("", "normalised"), ("?logits=raw", "raw"), ("?logits=x", "normalised")],
)
def test_the_address_says_which_logit_weights_are_shown(client, run, query, form):
    html = get(client, f"/demo/sae/3{query}")
    assert f'data-logits="{form}"' in re.search(r"<main[^>]*>", html).group()
    pressed = re.findall(r'data-value="(\w+)"\s+aria-current="true"', part_of(html, "logits"))
    assert pressed == [form]


def test_each_form_of_logit_weights_has_its_own_numbers_and_names_its_steps(client, run):
    board = run.dashboard(3)
    html = part_of(get(client, "/demo/sae/3"), "logits")
    normalised, raw = html.split('<div class="raw">')
    for shown, logits in ((normalised, board.logits_normalised), (raw, board.logits)):
        for weight in (*logits.top, *logits.bottom):
            assert f">{signed(weight.value, 2)}<" in shown
    assert "final norm&#x27;s weight folded in, median over the vocabulary at 0" in normalised
    assert "the plain product with the unembedding" in raw


def test_where_one_form_is_known_there_is_nothing_to_switch(client, run):
    rewrite(run, logits_normalised=None)
    html = get(client, "/demo/sae/3")
    assert 'data-logits="raw"' in re.search(r"<main[^>]*>", html).group()
    assert "data-set" not in part_of(html, "logits")
    assert 'class="normalised"' not in html


def test_neurons_are_named_with_one_sign_each(client, run):
    """A peer prints two minus signs, and weights where it says Pearson."""
    aligned, correlated = re.findall(
        r"<tbody>(.*?)</tbody>", part_of(get(client, "/demo/sae/3"), "neurons"), flags=re.DOTALL
    )
    cells = [re.sub(r"<[^>]*>|\s", "", row) for row in re.findall(r"<td.*?</td>", aligned)]
    assert cells[:3] == ["211", "−0.412", "6.1%"]
    cells = [re.sub(r"<[^>]*>|\s", "", row) for row in re.findall(r"<td.*?</td>", correlated)]
    assert cells[:3] == ["8", "+0.432", "+0.543"]
    assert cells[6:] == ["5", "−0.051", "+0.061"]


def test_a_hook_without_neurons_has_no_such_panel(client, run):
    rewrite(run, neuron_alignment=None, correlated_neurons=None)
    assert 'class="neurons"' not in get(client, "/demo/sae/3")


def test_correlations_that_were_left_out_say_why(client, run):
    rewrite(run, correlated_neurons=None, correlated_neurons_left_out="Too <many> of them.")
    html = part_of(get(client, "/demo/sae/3"), "neurons")
    assert "Too &lt;many&gt; of them." in html
    assert "Pearson" not in html


def test_a_latent_that_never_varies_says_that_no_correlation_is_defined(client, run):
    assert "None: the latent never varies." in part_of(get(client, "/demo/sae/7"), "neurons")


def test_the_silent_group_stands_last_with_its_selecting_tokens_marked(client, run):
    html = get(client, "/demo/sae/3")
    group = re.search(r'<section class="group"\s+id="silent".*?</section>', html, re.DOTALL).group()
    assert html.index('id="random"') < html.index('id="silent"')
    assert len(re.findall(r'<li class="row', group)) == len(run.dashboard(3).silent)
    marked = re.findall(r"<b\b[^>]*>", group)
    assert marked == ['<b class="k">', '<b class="k">', '<b class="k j">']
    assert re.search(r'href="#silent"\s+class="word">Silent<', html)


def test_a_latent_without_silent_examples_has_no_such_group(client, run):
    rewrite(run, silent=())
    html = get(client, "/demo/sae/3")
    assert 'id="silent"' not in html
    assert 'href="#silent"' not in html


def test_a_silent_example_has_an_address(client, run):
    example = run.dashboard(3).silent[1]
    html = get(client, f"/demo/sae/3?ex={example.context}.{example.position}")
    linked = html[html.index('id="ex"') : html.index('id="top-1"')]
    assert '<b class="k">' in linked


def test_elsewhere_than_at_attention_there_is_no_such_panel(client, run):
    assert 'class="sources"' not in get(client, "/demo/sae/3")


def test_the_tokens_an_attention_layer_brought_it_from_stand_beside_their_examples(client, run):
    top = run.dashboard(3).top
    sources = (Source(2, 1.5), Source(4, -0.25), Source(0, 0.125), Source(1, 0.1))
    first = msgspec.structs.replace(top[0], sources=sources)
    rewrite(run, top=(first, *top[1:]))
    html = part_of(get(client, "/demo/sae/3"), "sources")
    corpus = run.corpus.stored
    token = int(corpus.tokens[first.context, 2])
    assert html.count("<tbody>") == 1
    assert f'title="id {token}, position 2"' in html
    assert re.findall(r'<td class="n">(.*?)</td>', html) == ["+1.50", "−0.25", "+0.12"]
    assert 'href="#top-1"' in html
    assert f">−{first.position - 2}<" in html
    assert "itself" in html


def rewrite(run, **changes):
    """Other numbers for latent 3."""
    boards = [run.dashboard(index) for index in range(4)]
    boards[3] = msgspec.structs.replace(boards[3], **changes)
    write_pack(run.folder / "blocks" / "00000.pack", boards)


def test_markup_in_a_corpus_is_text(client, run):
    html = get(client, "/demo/sae/3")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


@pytest.mark.parametrize("view", ["line", "16", "whole"])
def test_the_server_draws_the_view_the_address_asks_for(client, run, view):
    html = get(client, f"/demo/sae/3?view={view}&num=on&y=log")
    main = re.search(r"<main[^>]*>", html).group()
    assert f'data-view="{view}"' in main
    assert 'data-num="on"' in main
    assert 'data-y="log"' in main


def test_a_view_nobody_knows_is_the_first(client, run):
    assert 'data-view="line"' in get(client, "/demo/sae/3?view=%22%3E%3Cscript%3E")


def test_neighbours_keep_the_way_pages_are_drawn_but_not_the_example(client, run):
    html = get(client, "/demo/sae/3?view=16&ex=0.4")
    assert re.search(r'rel="next"\s+data-keep\s+href="4\?view=16"', html)
    assert re.search(r'rel="prev"\s+data-keep\s+href="2\?view=16"', html)


def test_the_first_latent_has_no_previous_and_the_last_no_next(client, run):
    assert 'rel="prev"' not in get(client, "/demo/sae/0")
    assert 'rel="next"' not in get(client, "/demo/sae/7")


def test_an_example_asked_for_stands_first(client, run):
    example = run.dashboard(3).top[4]
    html = get(client, f"/demo/sae/3?ex={example.context}.{example.position}")
    assert html.index('id="ex"') < html.index('id="top-1"')
    assert "This run keeps no example" not in html


def test_an_example_that_is_not_kept_is_said_to_be_missing(client, run):
    html = get(client, "/demo/sae/3?ex=%3Cb%3E")
    assert "This run keeps no example" in html
    assert "<b>." not in html


def test_a_repeated_example_is_marked(client, run):
    assert 'title="Shown in a group above"' in get(client, "/demo/sae/3")


def test_examples_that_read_alike_are_counted(client, run):
    html = get(client, "/demo/sae/3")
    assert re.search(r'title="4 examples of this group read alike">\s*×4', html)


def test_a_dead_latent_says_so_in_words(client, run):
    html = get(client, "/demo/sae/7")
    assert "Never fired" in html
    assert f"0 of {run.dashboard(7).n_tokens} tokens" in html
    assert "Suppresses" in html
    assert '<svg class="plot hist"' not in html


def test_the_page_of_a_latent_asks_the_database_little(client, run, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        get(client, "/demo/sae/3")


def test_the_theme_is_drawn_by_the_server(client, run):
    client.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in get(client, "/demo/sae/3")
    client.cookies["theme"] = "'><script>"
    assert "data-theme" not in get(client, "/demo/sae/3")


def test_random_leads_to_a_latent_that_fires(client, run):
    targets = {client.get("/demo/sae/random?view=16").headers["Location"] for _ in range(40)}
    assert targets <= {f"/demo/sae/{index}?view=16" for index in range(7)}
    assert len(targets) > 1


def test_leading_zeros_and_a_last_slash_lead_to_the_page(client, run):
    assert client.get("/demo/sae/0003").headers["Location"] == "/demo/sae/3"
    assert client.get("/demo/sae/3/").headers["Location"] == "/demo/sae/3"


def test_an_index_too_large_is_shown_the_nearest(client, run):
    assert 'href="/demo/sae/7"' in get(client, "/demo/sae/99999999999999999999", 404)


def test_a_dictionary_that_is_not_there_is_shown_its_siblings(client, run):
    html = get(client, "/demo/nothing/3", 404)
    assert 'href="/demo/sae/"' in html


@pytest.mark.parametrize("path", ["/nobody/", "/nobody/x/1", "/api/v2/", "/static/none"])
def test_an_address_that_leads_nowhere_is_a_404(client, run, path):
    get(client, path, 404)


@pytest.mark.parametrize("name", RESERVED)
def test_a_model_cannot_take_an_address_that_is_ours(name):
    facts = runs.ModelFacts(name, "", "", "", 1, 1, 1)
    with pytest.raises(runs.CatalogError, match="this site's own"):
        runs.register(facts, None, None, runs.RunFacts("key", {}, (), (), {}))
    with suppress(Resolver404):
        assert resolve(f"/{name}/anything/").url_name not in {"model", "dictionary", "latent"}


def test_a_model_whose_name_only_begins_like_one_of_ours_is_shown(client, store):
    make_run(model="searching")
    get(client, "/searching/")


def test_a_defect_has_a_calm_page(client, run):
    client.raise_request_exception = False
    for array in run.corpus.stored.folder.glob("*.npy"):
        array.unlink()
    html = get(client, "/demo/sae/3", 500)
    assert "This page failed" in html
    assert "Traceback" not in html


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_only_read(client, run, path):
    assert client.post(path).status_code == 405


@pytest.mark.parametrize("path", ["/demo/sae/3", "/api/feature/demo/sae/3"])
def test_a_run_whose_files_are_gone_says_how_to_mend_it(client, run, path):
    for pack in run.folder.glob("blocks/*.pack"):
        pack.unlink()
    assert f"precompute --resume {run.key[:8]}" in get(client, path, 503)


def test_a_latent_leads_to_the_run_its_numbers_are_from(client, run):
    address = f"/runs/{run.key[:12]}/"
    assert f'href="{address}"' in get(client, "/demo/sae/3")
    assert run.key in get(client, address)
