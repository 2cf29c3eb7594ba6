"""A view and its address."""

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from featureviz.browse.table.statistics import STATISTICS
from featureviz.browse.table.view import TEXTS, Filter, Sort, View, is_untidy

NAMES = st.sampled_from(list(STATISTICS))
RANGES = st.sampled_from(["0.1%..1%", ">3", "<=0.5", "..7", "12"])
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@st.composite
def views(draw):
    sorts = draw(st.lists(NAMES, unique=True, max_size=3))
    asked = draw(st.dictionaries(NAMES, RANGES, max_size=4))
    filters = [Filter(name, asked[name]) for name in STATISTICS if name in asked]
    tokens = draw(st.dictionaries(st.sampled_from(["fires", "promotes"]), PLAIN))
    filters += [Filter(name, tokens[name]) for name in ("fires", "promotes") if name in tokens]
    filters += [Filter("has", "explanation")] if draw(st.booleans()) else []
    sort = tuple(Sort(name, draw(st.booleans())) for name in sorts)
    return View(
        sort=() if sort == (Sort("index"),) else sort,
        filters=tuple(filters),
        show=draw(st.sampled_from(["all", "alive", "dead"])),
        cols=tuple(draw(st.lists(st.sampled_from([*STATISTICS, *TEXTS]), unique=True))),
        page=str(draw(st.integers(1, 2000))),
    )


@given(views())
def test_a_view_is_its_address(view):
    query = view.query(page=view.page)
    assert View.of(QueryDict(query.removeprefix("?"))) == view


def test_an_address_can_be_read():
    view = View((Sort("max", True),), (Filter("density", "0.1%..1%"), Filter("max", ">3")))
    assert view.query() == "?sort=-max&density=0.1%25..1%25&max=>3"


def test_a_change_begins_at_the_first_page_again():
    assert View(page="7").query(show="alive") == "?show=alive"


@pytest.mark.parametrize("query", ["sort=run__key", "show=odd", "cols=secret", "has=money", "x=1"])
def test_what_nobody_knows_is_left_out(query):
    assert View.of(QueryDict(query)) == View()


def test_a_range_that_cannot_be_read_is_kept_and_told_but_not_used():
    view = View.of(QueryDict("density=much"))
    assert "0.1%..1%" in view.filters[0].problem
    assert view.used == ()


def test_a_forms_address_is_untidy():
    assert is_untidy(QueryDict("density=&max=>3"))
    assert is_untidy(QueryDict("cols=max&cols=about"))
    assert not is_untidy(QueryDict("density=1..2&cols=max,about"))
    assert View.of(QueryDict("cols=max&cols=about")).query() == "?cols=max,about"


def test_no_more_than_three_keys_sort():
    assert len(View.of(QueryDict("sort=max,mean,density,tokens,max")).sort) == 3
