"""What is typed into the box, and what is made of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.browse.search.language import (
    CHOICES,
    MOST_TERMS,
    NAMES,
    NUMBERS,
    TEXTS,
    Query,
    Range,
    Term,
    parse,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ranges = st.one_of(
    finite.map(lambda value: Range(value, value)),
    st.tuples(finite, finite).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Range(*pair)),
    st.tuples(finite, st.booleans()).map(lambda at: Range(low=at[0], low_included=at[1])),
    st.tuples(finite, st.booleans()).map(lambda at: Range(high=at[0], high_included=at[1])),
)
terms = st.one_of(
    st.builds(Term, st.sampled_from(["", *TEXTS, *NAMES]), texts, st.booleans(), st.booleans()),
    st.builds(
        Term, st.sampled_from([*NUMBERS]), st.just(""), st.just(False), st.booleans(), ranges
    ),
    st.sampled_from([Term(name, each) for name, known in CHOICES.items() for each in known]),
)


@given(st.lists(terms, max_size=4))
def test_a_query_written_out_is_read_as_the_same_query(found):
    query = Query(tuple(found))
    assert parse(str(query)) == query


@given(st.text(max_size=60))
def test_every_text_is_a_query_and_every_term_knows_its_characters(text):
    query = parse(text)
    for term in query.terms:
        assert parse(text[term.start : term.end]).terms == (term,)
    for problem in query.problems:
        assert problem.message
        assert text[problem.start : problem.end].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("because", Term("", "because")),
        ("beca*", Term("", "beca", is_beginning=True)),
        ("*", Term("", "*")),
        ("-", Term("", "-")),
        ("-the", Term("", "the", negated=True)),
        ('"in the"', Term("", "in the")),
        ('"in the"*', Term("", "in the", is_beginning=True)),
        ('"the*"', Term("", "the*")),
        ('promotes:"فی"', Term("promotes", "فی")),
        (r'fires:"say \"no\"\n"', Term("fires", 'say "no"\n')),
        ("FIRES:The", Term("fires", "The")),
        ("-fires:the", Term("fires", "the", negated=True)),
        ("dict:A/1", Term("dict", "A/1")),
        ("is:DEAD", Term("is", "dead")),
        ("has:explanation", Term("has", "explanation")),
    ],
)
def test_terms(text, expected):
    assert parse(text).terms == (expected,)
    assert not parse(text).problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<0.001", Range(high=0.001, high_included=False)),
        ("<=1%", Range(high=0.01)),
        (">3", Range(low=3, low_included=False)),
        (">=-2.5e-3", Range(low=-0.0025)),
        ("0.1%..1%", Range(0.001, 0.01)),
        ("5..2", Range(2, 5)),
        ("7", Range(7, 7)),
        ("=7", Range(7, 7)),
        ("..", None),
        ("a", None),
        ("<", None),
        ("1e999x", None),
    ],
)
def test_ranges(text, expected):
    assert Range.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said", "terms"),
    [
        ("foo:x cat", "no operator foo:", (Term("", "foo:x"), Term("", "cat"))),
        ("density:rare cat", "density:<0.1%", (Term("", "cat"),)),
        ("is:asleep", "is:alive or is:dead or is:ultralow", ()),
        ('"never closed', "not closed", (Term("", "never closed"),)),
        ("fires: cat", 'fires:"word"', (Term("", "cat"),)),
        ('promotes:""', "needs a value", ()),
    ],
)
def test_what_is_not_understood_is_said_and_stops_nothing(text, said, terms):
    query = parse(text)
    assert query.terms == terms
    assert [said in problem.message for problem in query.problems] == [True]


def test_of_too_many_terms_the_first_are_read_and_the_rest_is_pointed_at():
    text = " ".join(f"w{number}" for number in range(MOST_TERMS + 2))
    query = parse(text)
    assert [term.text for term in query.terms] == text.split()[:MOST_TERMS]
    (problem,) = query.problems
    assert text[problem.start : problem.end] == f"w{MOST_TERMS} w{MOST_TERMS + 1}"


def test_a_problem_points_at_its_own_characters():
    text = "cat density:rare"
    (problem,) = parse(text).problems
    assert text[problem.start : problem.end] == "density:rare"


def test_a_number_too_large_is_a_bound_that_nothing_reaches():
    assert parse("max:>1e400").terms[0].range.low == math.inf
