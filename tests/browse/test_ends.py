"""A signed latent: two ends on one address, both in the table and in the record."""

import re
from io import StringIO

import pytest
from django.core.management import call_command
from msgspec.structs import replace

from featureviz.browse.ends import Ends, two_ended
from featureviz.browse.switches import Switches
from featureviz.catalog import runs
from featureviz.catalog.models import Latent
from featureviz.dashboards.store import write_pack
from featureviz.engine.ends import with_both_ends
from tests.factories import make_run

pytestmark = pytest.mark.django_db
MINUS = "\u2212"


def make_signed_run():
    """Four latents; the positive end of the last one is silent."""
    run = make_run()
    boards = [run.dashboard(index) for index in (0, 4, 1, 5, 2, 6, 7, 3)]
    latents = [
        replace(one, index=index, negative=replace(one.negative, index=index))
        for index, one in enumerate(with_both_ends(boards, 2))
    ]
    write_pack(run.folder / "blocks" / "00000.pack", latents)
    run.plan |= {"block_size": 8, "ends": 2, "d_sae": 8}
    run.save()
    run.dictionary.d_sae = 4
    run.dictionary.save()
    run.latents.all().delete()
    runs._write_latents(run, list(runs._rows(run)))
    return run


@pytest.fixture
def run(store):
    return make_signed_run()


def get(client, path):
    reply = client.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def test_rows_keep_the_positive_ends_statistics_and_the_least_activation(run):
    for latent in Latent.objects.all():
        board = run.dashboard(latent.index)
        assert latent.n_active == board.n_active
        assert latent.n_negative == board.negative.n_active > 0
        assert latent.min_activation == board.negative.max_activation < 0
    assert Latent.objects.alive().count() == 4
    assert Latent.objects.dead().count() == 0


def test_a_latent_dead_at_both_ends_is_dead(run):
    Latent.objects.filter(index=3).update(n_negative=0)
    assert [latent.index for latent in Latent.objects.dead()] == [3]


@pytest.mark.parametrize("query", ["", "?end=pos", "?end=odd"])
def test_the_page_shows_the_positive_end_unless_asked(client, run, query):
    html = get(client, f"/demo/sae/1{query}")
    assert "positive end" in html
    assert "<dt>Maximum</dt>" in html
    assert 'href="1?end=neg"' in html
    assert f">{MINUS}" not in re.search(r'<ol class="rows">.*?</ol>', html, re.DOTALL).group()


def test_the_negative_end_has_its_own_examples_with_their_sign(client, run):
    board = run.dashboard(1).negative
    html = get(client, "/demo/sae/1?end=neg")
    assert "negative end" in html
    assert "<dt>Minimum</dt>" in html
    assert f'data-top="{board.max_activation}"' in html
    values = re.findall(r'position \d+">([^<]+)</a>', html)
    shown = len(board.top) + len(board.random) + sum(len(i.examples) for i in board.intervals)
    assert len(values) == shown + len(board.silent)
    assert all(value.startswith(MINUS) for value in values[:shown])
    assert set(re.findall(r'data-a="(.)', html)) == {"-"}
    assert {f"l{level}" for level in (1, 10)} <= set(re.findall(r'<b class="(l\d+)', html))


def test_the_end_shown_stays_from_latent_to_latent_and_in_links_to_examples(client, run):
    html = get(client, "/demo/sae/1?end=neg&view=16")
    assert 'href="2?view=16&amp;end=neg"' in html
    assert re.search(r'href="\?view=16&amp;end=neg&amp;ex=\d+\.\d+#ex"', html)
    assert 'href="1?view=16"' in html  # to the other end


def test_a_bar_of_the_negative_end_leads_to_the_interval_that_holds_it(client, run):
    html = get(client, "/demo/sae/1?end=neg")
    bars = re.findall(r'<a href="#(i\d+|top)" tabindex="-1"><title>', html)
    assert bars == [f"i{number}" for number in range(10, 0, -1) for _ in range(5)]


def test_a_silent_positive_end_points_to_the_other(client, run):
    html = get(client, "/demo/sae/3")
    assert "Never &gt; 0" in html or "Never > 0" in html
    assert 'Its <a href="3?end=neg">negative end</a> is active' in html
    assert "Fires on" in get(client, "/demo/sae/3?end=neg")


def test_an_unsigned_latent_has_no_ends(client, store):
    make_run()
    html = get(client, "/demo/sae/3?end=neg")
    assert "Both ends" not in html
    assert "<dt>Maximum</dt>" in html


def test_the_table_shows_and_sorts_by_the_minimum(client, run):
    html = get(client, "/demo/sae/?sort=min")
    order = [int(index) for index in re.findall(r'<a class="strong" href="(\d+)">', html)]
    lowest = {one.index: one.min_activation for one in Latent.objects.all()}
    assert order == sorted(lowest, key=lambda index: (lowest[index], index))
    assert re.search(r'aria-sort="ascending"[^<]*>\s*<a href="\?sort=-min">min', html)
    assert "never > 0" in html


def test_only_signed_dictionaries_have_a_minimum(client, store):
    make_run()
    assert "sort=min" not in get(client, "/demo/sae/")


def test_the_record_holds_both_ends_with_their_sign(client, run):
    record = client.get("/demo/sae/1.json").json()
    board, end = run.dashboard(1), record["negative"]
    assert record["max_activation"] == board.max_activation > 0
    assert end["min_activation"] == board.min_activation < 0
    assert "max_activation" not in end
    assert end["n_active"] == board.negative.n_active
    assert end["histogram"]["edges"] == sorted(end["histogram"]["edges"])
    assert end["histogram"]["edges"][-1] == 0
    example = end["examples"]["top"][0]
    assert example["activation"] == end["min_activation"]
    assert example["activations"][example["position"]] == example["activation"]
    out = StringIO()
    call_command("show", "demo/sae/1", stdout=out)
    assert f'"min_activation": {board.min_activation}' in out.getvalue()


def test_an_unsigned_record_has_no_negative_end(client, store):
    make_run()
    assert client.get("/demo/sae/1.json").json()["negative"] is None


def test_both_histograms_share_one_axis_with_zero_where_it_belongs(run):
    board = run.dashboard(1)
    svg = two_ended(Ends.of(board, Switches(end="neg"), 1))
    low, high = board.min_activation, board.max_activation
    zero = float(re.search(r'<line x1="([\d.]+)"', svg).group(1))
    assert zero == pytest.approx(100 * -low / (high - low), abs=0.01)
    links = re.findall(
        r'<a href="([^"]+)"[^>]*?( class="shown")?><title>(.*?)</title>(.*?)</a>', svg
    )
    assert [(link[0], bool(link[1])) for link in links] == [("1?end=neg", True), ("1", False)]
    lefts = [[float(x) for x in re.findall(r'<rect x="([\d.]+)"', link[3])] for link in links]
    assert max(lefts[0]) < zero <= min(lefts[1]) + 0.01
    filled = [sum(count > 0 for count in each.histogram.counts) for each in (board.negative, board)]
    assert list(map(len, lefts)) == filled


def test_the_settings_of_a_run_count_latents_not_ends(client, run):
    html = get(client, f"/runs/{run.key[:12]}/")
    said = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "Latents 4" in said
    assert "Latents in a block 4" in said
    assert "Ends of a latent 2" in said
