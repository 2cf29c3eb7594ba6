"""What is found, why and in which order; the same tests run on SQLite and on PostgreSQL."""

from itertools import chain

import numpy as np
import pytest

from featureviz.annotate import comments, lists
from featureviz.annotate.explanations import Signature, edit, take_back, withdraw
from featureviz.browse.search import written
from featureviz.browse.search.finders import WEIGHTS
from featureviz.browse.search.language import parse
from featureviz.browse.search.models import CommentWord, ExplanationWord, TagWord
from featureviz.browse.search.results import PAGE_SIZE, SORTS, Asked, Results
from featureviz.browse.search.written import Said, reindex_written
from featureviz.catalog.addresses import readable_runs
from featureviz.catalog.models import Run
from featureviz.catalog.reading import Reader, reading_as
from featureviz.catalog.runs import reindex
from featureviz.dashboards.finding import DOUBT
from featureviz.dashboards.words import Phrase, fold
from tests.browse.search.conftest import comment, explain, searchable, tag
from tests.factories import TEXTS, make_run

pytestmark = pytest.mark.django_db


def results(text, **given):
    return Results.of(Asked(parse(text), **given), readable_runs())


def found(text, **given):
    return [f"{scope.address}/{index}" for scope, index in results(text, **given).hits]


def indices(text, **given):
    return [index for _, index in results(text, **given).hits]


def boards(run):
    return [run.dashboard(index) for index in range(run.dictionary.d_sae)]


def read(run, token):
    return run.corpus.stored.vocabulary[token].decode(errors="replace")


def test_latents_are_found_by_a_token_they_fire_on_the_most_devoted_first(run):
    strengths = {}
    for board in boards(run):
        n_active = sum(
            count.n_active
            for count in board.fires_on
            if fold(read(run, count.token)).strip(" ") == "something"
        )
        if n_active:
            strengths[board.index] = n_active / (board.n_active + DOUBT)
    ranked = sorted(strengths, key=lambda index: (-strengths[index], index))
    assert len(ranked) > 1
    assert indices("fires:something") == indices("fires:SOMETHING") == ranked


def test_latents_are_found_by_the_tokens_they_promote_and_suppress(run):
    logits = run.dashboard(0).shown_logits
    best, worst = read(run, logits.top[0].token), read(run, logits.bottom[0].token)
    assert indices(f'promotes:"{best.strip()}"') == list(range(8))
    assert indices(f'suppresses:"{best.strip()}"') == []
    assert indices(f'suppresses:"{worst.strip()}"') == list(range(8))


def test_a_leading_blank_in_a_quotation_asks_for_a_token_with_one(run):
    assert indices('fires:"something"')
    assert indices('fires:" something"') == indices('fires:"␣something"')
    assert set(indices('fires:" something"')) <= set(indices("fires:something"))
    assert indices('fires:"She"') == indices("fires:she") != []
    assert indices('fires:" She"') == []


def test_latents_are_found_by_words_in_a_row_in_their_contexts(run):
    kept = {
        board.index: [*board.top, *chain(*(each.examples for each in board.intervals))]
        for board in boards(run)
    }
    holding = {index for index, examples in kept.items() if any(e.context == 0 for e in examples)}
    assert TEXTS[0].startswith("She gave him something")
    assert set(indices('context:"gave him"')) == holding
    assert set(indices('context:"GAVE him some"*')) == holding
    assert indices('context:"him gave"') == []
    assert set(indices("context:人間")) < set(range(8))


def test_a_bare_word_is_looked_for_everywhere_and_says_in_how_many_ways(run):
    explain(run, 7, "Something that never happens")
    asked = results("something")
    assert asked.hits[0][1] == 7, "an explanation weighs most"
    assert dict(asked.kinds)["explanation"] == 1
    assert {kind for kind, _ in asked.kinds} >= {"explanation", "fires", "context"}
    for kind, count in asked.kinds:
        assert results("something", kind=kind).n_found == count
    assert asked.n_of_any_kind == asked.n_found == len(asked.hits)


def test_the_score_is_the_sum_of_weighted_strengths(run):
    explain(run, 2, "something")
    (judged,) = results("something").judged
    (match,) = judged.matches
    expected = sum(WEIGHTS[kind] * strengths for kind, strengths in match.strengths.items())
    assert np.allclose(judged.scores(""), expected)
    assert match.strengths["explanation"].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_all_terms_must_hold_and_a_minus_turns_one_round(run):
    every, firing = set(range(8)), set(indices("fires:something"))
    assert set(indices("-fires:something")) == every - firing
    both = set(indices("fires:something context:ministry")) | set(indices("fires:something max:>2"))
    assert both <= firing
    assert indices("fires:something -fires:something") == []


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("density:>0", lambda board: board.density > 0),
        ("density:<=1.2%", lambda board: board.density <= 0.012),
        ("max:>2.3", lambda board: board.max_activation > 2.3),
        ("mean:0.3..0.8", lambda board: 0.3 <= board.mean_activation <= 0.8),
        ("tokens:2", lambda board: board.n_active == 2),
        ("index:3..5", lambda board: 3 <= board.index <= 5),
        ("is:dead", lambda board: board.n_active == 0),
        ("is:alive", lambda board: board.n_active > 0),
        ("is:ultralow", lambda board: 0 < board.n_active <= 10),
        ("-is:dead tokens:<=2", lambda board: 0 < board.n_active <= 2),
    ],
)
def test_latents_are_found_by_their_numbers(run, text, test):
    expected = [board.index for board in boards(run) if test(board)]
    assert 0 < len(expected) < 8 or text == "density:>0"
    assert indices(text) == expected


def test_each_order_is_total_and_breaks_ties_by_address(run):
    other = searchable(dictionary="b", n_latents=5)
    column = {"density": "density", "max": "max_activation"}
    runs = {"demo/b": other, "demo/sae": run}
    rows = [(address, board) for address, each in runs.items() for board in boards(each)]
    for sort in SORTS[1:-1]:
        name, sign = column[sort.removeprefix("-")], -1 if sort.startswith("-") else 1
        ranked = sorted(rows, key=lambda row: sign * getattr(row[1], name))
        assert found("tokens:>=0", sort=sort) == [f"{at}/{board.index}" for at, board in ranked]
    by_index = sorted(rows, key=lambda row: row[1].index)
    assert found("tokens:>=0", sort="index") == [f"{at}/{b.index}" for at, b in by_index]
    assert found("tokens:>=0") == [f"{at}/{board.index}" for at, board in rows]


def test_dictionaries_are_counted_and_chosen_by_address_or_model(run):
    searchable(dictionary="b", n_latents=5)
    searchable(model="other", dictionary="c", n_latents=4)
    asked = results("is:alive")
    assert asked.places == [("demo/b", 4), ("demo/sae", 7), ("other/c", 3)]
    assert results("is:alive", where="demo").n_found == 11
    assert found("is:alive dict:other/c") == found("is:alive", where="other/c")
    assert results("is:alive -dict:demo").n_found == 3


def test_pages_follow_each_other_without_gap_or_double(run):
    searchable(dictionary="many", n_latents=50)
    asked = [found("tokens:>=0", where="demo/many", page=page) for page in (1, 2, 3, 4)]
    assert [len(page) for page in asked] == [PAGE_SIZE, PAGE_SIZE, 10, 10], "page 3 is the last"
    every = [address for page in asked[:3] for address in page]
    assert every == [f"demo/many/{index}" for index in range(50)]


def test_nothing_found_says_which_term_to_drop_and_how_many_that_gives(run):
    asked = results("fires:something is:dead")
    changes = {str(change.term): change.n_found for change in asked.changes}
    assert changes["is:dead"] == results("fires:something").n_found
    assert changes["fires:something"] == 1
    for change in asked.changes:
        assert Results.of(change.asked, readable_runs()).n_found == change.n_found


def test_nothing_found_offers_beginnings_other_ways_and_other_places(run):
    searchable(dictionary="b", texts=[*TEXTS[:-1], "Only zebras here"], n_latents=5)
    (begun,) = results("someth").changes
    assert str(begun.term) == "someth*"
    assert begun.n_found == results("someth*").n_found > 0
    elsewhere = results("zebras", where="demo/sae").changes
    assert [change.asked.where for change in elsewhere] == [""]
    other = results("something", kind="explanation").changes
    assert [change.asked.kind for change in other] == [""]


def test_an_index_is_found_in_every_dictionary(run):
    searchable(dictionary="b", n_latents=5)
    assert set(found("4", kind="index")) == {"demo/b/4", "demo/sae/4"}
    assert found("6", kind="index") == ["demo/sae/6"]


def test_what_is_not_published_or_no_longer_shown_is_not_found(run):
    hidden = make_run(dictionary="hidden", published=False)
    run.published_at = None
    run.save()
    assert found("something") == []
    assert results("something").scopes == ()
    assert hidden.dictionary.name == "hidden"


def test_a_run_published_before_there_was_an_index_is_named_and_found_when_gathered(run):
    other = make_run(dictionary="old")
    asked = results("something")
    assert asked.unindexed == (other,)
    assert {scope.address for scope in asked.scopes} == {"demo/sae"}


def test_explanations_are_found_by_words_beginnings_and_words_in_a_row(run):
    explain(run, 0, "Quotation marks around *dialogue*")
    explain(run, 1, "Marks of quotation, in Arabic: علامات")
    explain(run, 2, "ÉTÉ, Straße and STRASSE")
    assert indices("explanation:quotation") == [0, 1]
    assert indices('explanation:"quotation marks"') == [0]
    assert indices("explanation:quot*") == [0, 1]
    assert indices('explanation:"quotation ma"*') == [0]
    assert indices("explanation:علامات") == [1]
    assert indices("explanation:été") == indices("explanation:strasse") == [2]
    assert indices("explanation:quot") == []
    assert indices("has:explanation") == [0, 1, 2]
    assert indices("-has:explanation") == [3, 4, 5, 6, 7]


def test_the_pinned_explanation_counts_more_and_equal_ones_stand_by_index(run):
    explain(run, 5, "zebra")
    explain(run, 1, "something else")
    explain(run, 1, "zebra")
    explain(run, 4, "zebra")
    assert indices("explanation:zebra") == [4, 5, 1]


def test_words_follow_what_is_edited_and_withdrawn(run):
    said = explain(run, 3, "zebra stripes")
    edit(said, "tiger stripes", Signature(author=said.author), version=1)
    assert indices("explanation:zebra") == []
    assert indices("explanation:tiger") == [3]
    withdraw(said)
    assert indices("explanation:tiger") == indices("has:explanation") == []
    take_back(said)
    assert indices("explanation:tiger") == [3]


def test_words_of_explanations_that_were_written_in_bulk_are_gathered_again(run):
    explain(run, 3, "zebra stripes of a zebra")
    ExplanationWord.objects.all().delete()
    assert indices("explanation:zebra") == []
    assert reindex_written() == {"explanation": 1, "tag": 0, "comment": 0}
    assert indices("explanation:zebra") == [3]
    assert ExplanationWord.objects.count() == 4
    assert reindex_written() == {"explanation": 1, "tag": 0, "comment": 0}
    assert ExplanationWord.objects.count() == 4


def test_comments_are_found_by_words_beginnings_and_words_in_a_row(run):
    comment(run, 0, "Fires on *quotation marks*, I think")
    comment(run, 1, "Marks of quotation: علامات")
    explain(run, 2, "quotation marks")
    assert indices("comment:quotation") == [0, 1]
    assert indices('comment:"quotation marks"') == indices('comment:"QUOTATION mar"*') == [0]
    assert indices("comment:quot*") == [0, 1]
    assert indices("comment:علامات") == [1]
    assert indices("comment:quot") == indices("comment:!") == []
    assert indices("has:comment") == [0, 1]
    assert indices("quotation") == [2, 0, 1], "an explanation weighs more"
    assert indices("quotation", kind="comment") == [0, 1]
    assert indices("quotation -comment:think") == [2, 1]


def test_tags_are_found_whole_by_a_word_or_by_its_beginning(run):
    tag(run, 0, "to check")
    tag(run, 0, "quotes")
    tag(run, 1, "check again")
    tag(run, 2, "été")
    assert indices("tag:check") == [0, 1]
    assert indices('tag:"to check"') == [0]
    assert indices("tag:quo*") == [0]
    assert indices("tag:ÉTÉ") == [2]
    assert indices("has:tag") == [0, 1, 2]
    assert indices("check") == indices("check", kind="tag") == [0, 1]
    assert dict(results("check").kinds) == {"tag": 2}


def test_what_was_withdrawn_or_taken_off_is_not_found(run):
    said = comment(run, 3, "zebra stripes")
    tag(run, 4, "zebra")
    assert indices("zebra") == [4, 3]
    comments.withdraw(said)
    lists.untag(run.dictionary, 4, "zebra", said.author)
    assert indices("zebra") == indices("has:comment") == indices("has:tag") == []
    comments.take_back(said)
    tag(run, 4, "zebra")
    assert indices("zebra") == [4, 3]


def test_what_is_said_of_latents_one_may_not_read_is_not_found(team, people):
    run = Run.objects.get()
    reindex(run)
    comment(run, 3, "zebra stripes", by="bob")
    tag(run, 4, "zebra", by="bob")
    explain(run, 5, "zebra", by="bob")

    def found_by(name):
        with reading_as(Reader(people[name])):
            return Results.of(Asked(parse("zebra")), readable_runs()).hits

    assert [index for _, index in found_by("rita")] == [5, 4, 3]
    assert found_by("charlie") == []
    shown = searchable(dictionary="shown", n_latents=8)
    with reading_as(Reader(people["charlie"])):
        assert [each.dictionary for each in readable_runs()] == [shown.dictionary]


def test_only_what_is_said_of_the_dictionaries_searched_is_looked_at(run):
    comment(run, 3, "zebra stripes")
    tag(run, 4, "zebra")
    explain(run, 5, "zebra")
    other = searchable(dictionary="other", n_latents=8)
    here = (run.dictionary_id,)
    for kind, index in (("comment", 3), ("tag", 4), ("explanation", 5)):
        for phrase in (Phrase.of("zebra"), Phrase.of("zeb", is_beginning=True), None):
            assert Said(here).holding(kind, phrase).tolist() == [[*here, index, 1]]
            assert len(Said((other.dictionary_id,)).holding(kind, phrase)) == 0


@pytest.mark.parametrize("many", [0, 1000])
def test_a_word_is_found_alike_whether_few_texts_or_many_have_it(run, monkeypatch, many):
    monkeypatch.setattr(written, "_MANY", many)
    for index in (5, 3, 3):
        explain(run, index, f"zebra stripes {index}")
    explain(run, 2, "no such animal")
    comment(run, 4, "a zebra")
    withdraw(explain(run, 6, "zebra"))
    explain(searchable(dictionary="other", n_latents=8), 7, "zebra")
    found = Said((run.dictionary_id,)).holding("explanation", Phrase.of("zebra"))
    here = run.dictionary_id
    assert sorted(found.tolist()) == [[here, 3, 0], [here, 3, 1], [here, 5, 1]]
    assert len(Said((here,)).holding("explanation", Phrase.of("horse"))) == 0


def test_words_of_comments_and_tags_are_gathered_again(run):
    comment(run, 3, "zebra stripes of a zebra")
    tag(run, 4, "zebra")
    CommentWord.objects.all().delete()
    TagWord.objects.all().delete()
    assert indices("zebra") == []
    for _ in range(2):
        assert reindex_written() == {"explanation": 0, "tag": 1, "comment": 1}
        assert indices("zebra") == [4, 3]
        assert (CommentWord.objects.count(), TagWord.objects.count()) == (4, 1)
