"""Ablation effects on the page and in the JSON are those of the record."""

import json
import re
from html import unescape
from math import inf

import pytest

from featureviz.browse.effects import STEPS, PageEffects, step_of
from featureviz.browse.rows import Reader
from featureviz.browse.strips import Strip
from featureviz.dashboards.text import readable, visible
from tests.ablated import THRESHOLD, TOTALS, give_effects
from tests.factories import SPLIT, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return give_effects(make_run())


def examples_of(board):
    groups = [board.top, *(interval.examples for interval in board.intervals), board.random]
    return [example for group in groups for example in group]


def page_of(run):
    corpus, board = run.corpus.stored, run.dashboard(3)
    return PageEffects(board, corpus), Reader(corpus, board)


def row_of(run, context):
    effects, reader = page_of(run)
    example = next(each for each in reader.dashboard.top if each.context == context)
    return effects, reader.row("top-1", example)


def nats_of(effect, direct):
    """What travels to the page: a direct effect only where it says something new."""
    return [effect.total, *[effect.direct] * (direct == "own"), effect.kl]


def oracle_step(effect):
    """By plain comparisons."""
    bounds = (*STEPS, inf)
    return sum(abs(effect) >= bound for bound in bounds)


@pytest.mark.parametrize(
    ("effect", "step"),
    [(0, 0), (0.0099, 0), (0.01, 1), (-0.0499, 1), (0.05, 2), (-0.2, 3), (0.5, 4), (-9, 5)],
)
def test_a_line_grows_in_five_steps_whatever_the_sign(effect, step):
    assert step_of(effect) == step == oracle_step(effect)


def test_every_token_is_underlined_as_its_effect_says(run):
    effects, row = row_of(run, 0)  # a text whose marks are single tokens
    html = Strip(row, effects=effects).html()
    marks = re.findall(r'<[bu] class="([^"]*)"[^>]*>([^<]*)</[bu]>', html)
    drawn = {(text, name) for names, text in marks for name in names.split() if name[0] in "td"}
    expected = set()
    for effect in row.example.effects:
        text = row.texts[effect.position - row.starts[0]]
        for kind, number in (("t", effect.total), ("d", effect.direct)):
            if step := oracle_step(number):
                expected.add((text, f"{kind}{'p' if number > 0 else 'n'}{step}"))
    assert drawn == expected
    assert {name[1:] for _, name in drawn if name[0] == "t"} >= {"p1", "n1", "p2", "n2", "p3", "n3"}


def test_what_helped_and_what_hurt_are_told_apart(run):
    effects, row = row_of(run, 0)
    html = Strip(row, effects=effects).html()
    assert 'class="tp1' in html
    assert 'class="tn1' in html


@pytest.mark.parametrize("direct", ["own", "same", "none"])
def test_the_row_s_numbers_are_the_record_s(store, direct):
    run = give_effects(make_run(), direct=direct)
    effects, reader = page_of(run)
    assert effects.direct == direct
    words, vocabulary = json.loads(effects.words), run.corpus.stored.vocabulary
    seen = {SPLIT}  # marks of several tokens have a test of their own
    for example in examples_of(reader.dashboard):
        if example.context in seen:
            continue
        seen.add(example.context)
        row = reader.row("top-1", example)
        mark, n_nats, told = -1, 3 if direct == "own" else 2, []
        html = Strip(row, effects=effects).html()
        for gap, *numbers in json.loads(re.search(r'data-e="([^"]*)"', html).group(1)):
            mark += gap + 1
            changes = numbers[n_nats:]
            pairs = zip(changes[::2], changes[1::2], strict=True)
            told.append((mark, numbers[:n_nats], [(words[word], by) for word, by in pairs]))
        expected = [
            (
                effect.position - row.starts[0],
                [round(1000 * number) for number in nats_of(effect, direct)],
                [
                    (visible(readable(vocabulary[change.token])), round(1000 * change.value))
                    for change in effect.risen + effect.fallen
                ],
            )
            for effect in example.effects
        ]
        assert told == expected


def test_rows_of_one_context_say_it_once(run):
    effects, reader = page_of(run)
    said = set()
    for example in examples_of(reader.dashboard):
        html = Strip(reader.row("top-1", example), effects=effects).html()
        assert ('data-e=""' in html) == (example.context in said)
        said.add(example.context)
    assert 1 < len(said) < len(examples_of(reader.dashboard))


def test_a_page_of_very_many_changes_keeps_the_largest(run, monkeypatch):
    effects, _ = page_of(run)
    every = [abs(change.value) for each in effects._every() for change in each.risen + each.fallen]
    monkeypatch.setattr("featureviz.browse.effects._MOST_CHANGES", len(every) // 2)
    effects, _ = page_of(run)
    kept = [abs(change.value) for each in effects._every() for change in effects._shown(each)]
    assert 0 < len(kept) < len(every)
    assert min(kept) > min(every)


def test_a_split_character_is_told_the_largest_of_its_tokens(run):
    _, row = row_of(run, SPLIT)
    several = [mark for mark in row.parts if mark in row.effects]
    assert several
    for mark in several:
        inside = range(row.starts[mark], row.starts[mark + 1])
        own = [effect for effect in row.example.effects if effect.position in inside]
        assert abs(row.effects[mark].total) == max(abs(effect.total) for effect in own)
    assert any(
        len([e for e in row.example.effects if row.starts[m] <= e.position < row.starts[m + 1]]) > 1
        for m in several
    )


def test_the_json_says_what_the_record_says(client, run):
    record, board = client.get("/demo/sae/3.json").json(), run.dashboard(3)
    assert record["effect_threshold"] == THRESHOLD
    assert "above 0, the token is less likely without the latent" in record["effect_sign"]
    shown = [*record["examples"]["top"]]
    shown += [each for interval in record["examples"]["intervals"] for each in interval["examples"]]
    shown += record["examples"]["random"]
    for ours, example in zip(shown, examples_of(board), strict=True):
        for told, effect in zip(ours["effects"], example.effects, strict=True):
            assert told["token"] == ours["tokens"][effect.position]
            for name in ("position", "total", "direct", "kl"):
                assert told[name] == getattr(effect, name)
            for name in ("risen", "fallen"):
                changes = [(each["token_id"], each["value"]) for each in told[name]]
                assert changes == [(one.token, one.value) for one in getattr(effect, name)]
                assert all(each["token"] for each in told[name])


def test_the_json_of_a_run_without_effects_says_none(client, store):
    make_run()
    record = client.get("/demo/sae/3.json").json()
    assert record["effect_threshold"] is None
    assert all(example["effects"] is None for example in record["examples"]["top"])


def get(client, query=""):
    return client.get(f"/demo/sae/3{query}").content.decode()


def test_the_legend_says_in_words_what_the_lines_mean(client, run):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", get(client)))
    assert "Without this latent this token is less likely more likely" in text
    assert all(str(step) in text for step in STEPS)


@pytest.mark.parametrize(
    ("query", "under", "fx"),
    [
        ("", "total", "usual"),
        ("?under=direct", "direct", "usual"),
        ("?under=off&fx=swap", "off", "swap"),
        ("?under=x&fx=x", "total", "usual"),
    ],
)
def test_the_address_says_what_is_underlined_in_which_colours(client, run, query, under, fx):
    html = get(client, query)
    main = re.search(r"<main[^>]*>", html).group()
    assert f'data-under="{under}"' in main
    assert f'data-fx="{fx}"' in main
    kept = query if under != "total" else ""
    assert f'href="4{kept}"' in unescape(html)


def test_a_run_without_effects_says_how_to_compute_them(client, store):
    make_run()
    html = get(client)
    assert 'href="3/effects"' in html
    assert 'data-set="under"' not in html
    assert "data-e=" not in html


def test_effects_of_the_top_group_only_are_said_to_be_that(client, store):
    give_effects(make_run(), groups="top")
    html = get(client)
    assert "computed for the top group only" in html
    assert html.count("data-e=") == len(make_run().dashboard(3).top)


def test_where_no_direct_effect_is_known_none_is_offered(client, store):
    give_effects(make_run(), direct="none")
    html = get(client)
    assert 'data-value="total"' in html
    assert 'data-value="direct"' not in html


def test_where_both_effects_are_one_the_page_says_so(client, store):
    give_effects(make_run(), direct="same")
    html = get(client)
    assert "same here" in html
    assert 'data-direct="same"' in html
    assert not re.search(r'<[bu] class="[^"]*\bd[pn]\d', html)


def test_what_tokens_say_never_becomes_markup(client, run):
    html = get(client)
    words = re.search(r'data-words="([^"]*)"', html).group(1)
    assert json.loads(unescape(words))
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)


def test_there_is_something_to_see():
    assert {oracle_step(total) for total in TOTALS} == set(range(6))
