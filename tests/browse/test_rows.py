"""Examples become rows, rows become HTML."""

import re

import pytest

from featureviz.browse.rows import Reader, level_of
from featureviz.browse.strips import Strip
from tests.factories import SPLIT, TEXTS, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(store):
    run = make_run()
    return Reader(run.corpus.stored, run.dashboard(3))


def row_of(reader, context):
    example = next(each for each in reader.dashboard.top if each.context == context)
    return reader.row("top-1", example)


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


@pytest.mark.parametrize(
    ("share", "level"), [(0, 0), (1e-9, 1), (0.01, 1), (0.1, 3), (0.5, 8), (1, 10), (1.1, 10)]
)
def test_levels_are_logarithmic_and_reach_both_ends(share, level):
    assert level_of(share * 7.0, 7.0) == level


@pytest.mark.parametrize("context", range(len(TEXTS)))
def test_a_row_shows_its_whole_text_and_no_start_token(reader, context):
    drawn = "".join(row_of(reader, context).texts)
    assert drawn == TEXTS[context].replace("\n", "↵").replace("\t", "→")


@pytest.mark.parametrize("context", range(len(TEXTS)))
def test_what_the_corpus_says_never_becomes_markup(reader, context):
    html = Strip(row_of(reader, context)).html()
    assert set(re.findall(r"<(\w+)", html)) <= {"p", "span", "b", "s", "br"}
    assert "<script" not in html


@pytest.mark.parametrize("context", range(len(TEXTS)))
def test_the_lengths_of_marks_add_up_to_the_text(reader, context):
    html = Strip(row_of(reader, context)).html()
    lengths = re.search(r'data-n="([\d ]*)"', html).group(1).split()
    drawn = "".join(row_of(reader, context).texts)
    assert sum(map(int, lengths)) == len(drawn.encode("utf-16-le")) // 2


def test_the_selecting_token_is_the_peak(reader):
    row = row_of(reader, 0)
    assert row.starts[row.peak] <= row.example.position < row.starts[row.peak + 1]
    assert Strip(row).html().count('k"') == 1


def test_the_selecting_token_of_a_silent_row_is_marked_though_not_lit(reader):
    for example in reader.dashboard.silent:
        row = reader.row("silent-1", example)
        html = Strip(row).html()
        assert row.lit == {}
        assert row.starts[row.peak] <= example.position < row.starts[row.peak + 1]
        (marked,) = re.findall(r"<b ([^>]*)>([^<]*)</b>", html)
        assert marked[0] in {'class="k"', 'class="k j"'}
        assert marked[1] == row.texts[row.peak]


def test_a_split_character_is_one_mark_with_the_greatest_of_its_activations(reader):
    row = row_of(reader, SPLIT)
    active = dict(zip(row.example.positions, row.example.activations, strict=True))
    assert set(row.parts) & set(row.lit)
    for mark, parts in row.parts.items():
        values = [active.get(row.starts[mark] + offset, 0) for offset in range(len(parts))]
        assert [part.activation for part in parts] == values
        assert (row.lit[mark].activation if mark in row.lit else 0) == max(values)


@pytest.mark.parametrize("reach", [4, 16])
def test_a_narrow_view_keeps_so_many_tokens_either_side(reader, reach):
    row = row_of(reader, SPLIT)
    kept = row.within(reach)
    last, following = row.starts[kept.stop] - 1, row.starts[kept.stop + 1] - 1
    assert last <= row.example.position + reach < following


def test_arabic_runs_from_the_right_and_names_its_language(reader):
    assert '<p dir="rtl" lang="ar"' in Strip(row_of(reader, 3)).html()


def test_hebrew_runs_from_the_right_and_names_its_language(reader):
    assert '<p dir="rtl" lang="he"' in Strip(row_of(reader, 4)).html()


def test_blanks_are_dots_only_on_request(reader):
    row = row_of(reader, 0)
    assert "·" not in text_of(Strip(row).html())
    assert " " not in text_of(Strip(row, spaces=True).html())


def test_intervals_stand_strongest_first_with_their_counts(reader):
    groups = [group for group in reader.groups() if group.number]
    assert [group.number for group in groups] == [str(number) for number in range(10, 0, -1)]
    assert sum(group.n_active for group in groups) == reader.dashboard.n_active
    assert sum(group.share for group in groups) == pytest.approx(1)


def test_an_example_is_found_by_its_place_in_the_corpus(reader):
    example = reader.dashboard.top[2]
    assert reader.linked(f"{example.context}.{example.position}").example == example
    assert reader.linked("7.99999") is None


def test_the_strong_tokens_of_a_row_are_at_least_half_as_strong_and_go_round(reader):
    for example in [*reader.dashboard.top, *reader.dashboard.intervals[-1].examples]:
        row = reader.row("top-1", example)
        if row.example.context == SPLIT:
            continue  # there a mark is several tokens
        active = dict(zip(example.positions, example.activations, strict=True))
        half = active[example.position] / 2
        others = {at for at, value in active.items() if value >= half} - {example.position}
        strongest = sorted(others, key=lambda at: -active[at])[:9]
        after = sorted(at for at in strongest if at > example.position)
        before = sorted(at for at in strongest if at < example.position)
        assert row.strong == (*after, *before, example.position)
        assert len(row.strong) == len(strongest) + 1


def test_a_place_of_a_known_context_is_linked_to_and_others_are_not(reader):
    known = reader.dashboard.top[0]
    at = next(place for place in range(1, 9) if place not in known.positions)
    row = reader.linked(f"{known.context}.{at}")
    assert (row.example.position, row.example.activation) == (at, 0.0)
    assert row.example.activations == known.activations
    for place in (f"{known.context}.0", f"{known.context}.127", "9999.3", "x", "1.x", "٣.٤", ""):
        assert reader.linked(place) is None, place


@pytest.mark.parametrize("token", [0, 127, 10**8])
def test_a_token_outside_the_text_is_not_pointed_at(reader, token):
    place = f"{reader.dashboard.top[0].context}.{reader.dashboard.top[0].position}"
    assert reader.linked(place, token).pointed is None
    assert "<mark" not in Strip(reader.linked(place, token)).html()
    assert Strip(reader.linked(place, 2)).html().count('<mark id="token">') == 1


def test_of_rows_with_one_context_the_first_alone_tells_its_tokens(reader):
    told = []
    for row in (row for group in reader.groups() for row in group.rows):
        assert row.tells == (row.example.context not in told)
        assert ("data-t=" in Strip(row).html()) == row.tells
        told.append(row.example.context)
    assert len(told) > len(set(told))
