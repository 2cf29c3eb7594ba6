"""The panel of what a latent fires on, class by class."""

import re

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save_file

from featureviz.catalog.models import Run
from featureviz.dashboards.schema import ClassProfile
from featureviz.dashboards.store import write_pack
from tests.factories import BLOCK_SIZE, CONTEXT_SIZE, make_run

pytestmark = pytest.mark.django_db
ARABIC = ClassProfile("arabic", 11, 5, 3.0, 0.4567, (2, 1, 0, 0, 0, 0, 0, 0, 1, 1))
LATIN = ClassProfile("latin", 40, 9, 2.0, None, (3, 1, 0, 0, 0, 0, 0, 0, 4, 1))


@pytest.fixture
def run(store):
    """A run whose alive latents have profiles, and its activations."""
    run = make_run()
    boards = [run.dashboard(index) for index in range(run.dictionary.d_sae)]
    profiled = [
        msgspec.structs.replace(board, profiles=(ARABIC, LATIN) if board.n_active else ())
        for board in boards
    ]
    for block in range(0, len(boards), BLOCK_SIZE):
        path = run.folder / "blocks" / f"{block // BLOCK_SIZE:05d}.pack"
        write_pack(path, profiled[block : block + BLOCK_SIZE])
    spool(run, boards)
    return run


def spool(run: Run, boards) -> None:
    """The activations behind the dashboards, as one shard."""
    places, values, starts = [], [], [0]
    for board in boards:
        for example in sorted(board.top, key=lambda one: one.context):
            places += [example.context * CONTEXT_SIZE + at for at in example.positions]
            values += example.activations
        starts.append(len(places))
    (run.folder / "shards").mkdir(parents=True)
    save_file(
        {
            "starts": np.array(starts, np.int64),
            "places": np.array(places, np.uint32),
            "values": np.array(values, np.float32),
        },
        run.folder / "shards" / "00000.safetensors",
    )


def panel(client, query="", index=3):
    html = client.get(f"/demo/sae/{index}{query}").content.decode()
    return re.search(r'<section class="profile".*?</section>', html, re.DOTALL)[0]


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.replace("\u202f", "")))


def test_the_best_class_is_shown_first_in_a_sentence_of_exact_shares(client, run):
    board, n = run.dashboard(3), run.corpus.n_tokens
    text = words(panel(client))
    assert "What it fires on: Arabic script" in text
    assert f"{100 * 5 / board.n_active:.2g}% of active tokens are Arabic script" in text
    assert f"base rate {100 * 11 / n:.2g}%" in text
    assert "correlation 0.46" in text


def test_another_class_is_chosen_by_address(client, run):
    html = panel(client, "?class=latin&num=on")
    assert "What it fires on: Latin script" in words(html)
    assert "correlation undefined" in words(html)
    current = re.search(r'<a href="([^"]*)"\s+aria-current="true">Latin', html)
    assert current[1] == "3?num=on&amp;class=latin#profile"


def test_switches_neighbours_and_the_form_keep_the_class(client, run):
    html = client.get("/demo/sae/3?class=latin&num=on").content.decode()
    assert 'href="2?num=on&amp;class=latin"' in html
    assert 'href="3?view=16&amp;num=on&amp;class=latin"' in html
    assert '<input type="hidden" name="num" value="on">' in panel(client, "?class=latin&num=on")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("greek", "Fewer than 1 % of its active tokens are Greek script"),
        ("base64", "Fewer than 1 % of its active tokens are base64"),
        ("martian", "There is no class of this name"),
    ],
)
def test_a_class_it_does_not_keep_to_says_so(client, run, name, says):
    assert says in words(panel(client, f"?class={name}"))


def test_levels_stand_in_a_table_and_in_two_plots(client, run):
    board, html = run.dashboard(3), panel(client)
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]
    assert len(rows) == 10
    top = words(rows[0]).split()
    assert top[2:4] == [str(board.intervals[0].n_active), "2"]
    for plot in re.findall(r"<svg class=\"plot split.*?</svg>", html, re.DOTALL):
        assert plot.count("<title>") == 10
    assert html.count('class="plot split') == 2


def test_a_pattern_of_ones_own_is_counted_exactly(client, run):
    board = run.dashboard(3)
    corpus = run.corpus.stored
    inside = active = 0
    for example in board.top:
        for at in example.positions:
            token = corpus.vocabulary[corpus.tokens[example.context, at]].decode(errors="replace")
            inside += bool(re.fullmatch(r" ?[a-z]+", token))
            active += 1
    assert (active, inside > 3) == (board.n_active, True)
    text = words(panel(client, r"?class=re:\b[a-z]%2B\b"))
    share = re.search(r"([\d.]+)% of active tokens are matched by", text)
    assert float(share[1]) == pytest.approx(100 * inside / active, rel=0.2)
    assert f"Active on {inside} of" in text


def test_the_form_asks_for_a_pattern_too(client, run):
    assert "matched by som" in words(panel(client, "?re=som.*"))
    assert 'value="som.*"' in panel(client, "?re=som.*")


def test_a_bad_pattern_says_what_is_wrong_and_where(client, run):
    html = panel(client, "?class=re:ab(<b>")
    assert "Missing ), unterminated subpattern" in words(html) or "Missing )" in words(html)
    assert "at character 7: ab(" in words(html)
    assert "<b>" not in html


def test_a_pattern_needs_the_activations(client, run):
    (run.folder / "shards" / "00000.safetensors").unlink()
    assert "no longer kept" in words(panel(client, "?class=re:x"))


def test_a_run_older_than_profiles_says_so(client, store):
    make_run()
    assert "older than token profiles" in words(panel(client))


def test_a_dead_latent_has_no_panel(client, run):
    assert b'class="profile"' not in client.get("/demo/sae/7").content


def test_the_record_holds_the_profiles(client, run):
    record, board = client.get("/demo/sae/3.json").json(), run.dashboard(3)
    arabic = record["profiles"][0]
    assert arabic["class"] == "arabic"
    assert arabic["share_of_active"] == 5 / board.n_active
    assert arabic["base_rate"] == 11 / board.n_tokens
    assert arabic["share_of_activation"] == 3.0 / board.sum_activation
    assert arabic["pearson"] == 0.4567
    assert record["profiles"][1]["pearson"] is None
