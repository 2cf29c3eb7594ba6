"""Which latents a view leaves, against plain loops over the rows."""

import math
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featureviz.annotate.models import Explanation
from featureviz.browse.table.selection import Selection
from featureviz.browse.table.statistics import STATISTICS, statistics_of
from featureviz.browse.table.view import Sort, View
from featureviz.catalog.models import Latent, Run
from featureviz.catalog.runs import reindex
from featureviz.dashboards.text import readable
from tests.factories import make_run

pytestmark = pytest.mark.django_db
SORTS = st.lists(
    st.builds(Sort, st.sampled_from(list(STATISTICS)), st.booleans()),
    max_size=3,
    unique_by=lambda sort: sort.name,
)


@pytest.fixture
def run(store):
    return make_run(n_latents=40)


def select(run, query):
    return Selection.of(run, View.of(QueryDict(query)))


def left(run, query):
    return select(run, query).indices.tolist()


def rows(run):
    return list(Latent.objects.filter(run=run).order_by("index"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(SORTS)
def test_latents_are_sorted_by_each_key_in_turn_then_by_index(run, sorts):
    def key(row):
        found = []
        for sort in sorts:
            value = STATISTICS[sort.name].of(row, run)
            missing = value is None
            found += [missing, 0 if missing else -value if sort.descending else value]
        return (*found, row.index)

    expected = [row.index for row in sorted(rows(run), key=key)]
    assert Selection.of(run, View(sort=tuple(sorts))).indices.tolist() == expected


@pytest.mark.parametrize("statistic", list(STATISTICS.values()), ids=lambda each: each.name)
def test_every_statistic_filters(run, statistic):
    values = {row.index: statistic.of(row, run) for row in rows(run)}
    known = sorted(value for value in values.values() if value is not None)
    low, high = known[len(known) // 4], known[3 * len(known) // 4]
    expected = [i for i, value in values.items() if value is not None and low <= value <= high]
    assert left(run, f"{statistic.name}={low!r}..{high!r}") == expected


def test_filters_are_joined_by_and(run):
    expected = [row.index for row in rows(run) if row.density > 0.1 and row.max_activation <= 2.45]
    assert 0 < len(expected) < 38
    assert left(run, "density=>10%25&max=<=2.45") == expected


def test_alive_and_dead_part_the_latents(run):
    assert left(run, "show=dead") == [39]
    assert left(run, "show=alive") == list(range(39))
    assert select(run, "max=>0").counts == {"all": 39, "alive": 39, "dead": 0}


@pytest.mark.parametrize("name", ["fires", "promotes", "suppresses"])
def test_a_token_is_looked_for_in_the_whole_list_of_each_latent(run, name):
    reindex(run)
    lists = [listed(run, run.dashboard(index), name) for index in range(40)]
    text = max((text for texts in lists for text in texts), key=len).strip()
    expected = [index for index, texts in enumerate(lists) if text.casefold() in map(plain, texts)]
    assert expected
    assert left(run, urlencode({name: text.upper()})) == expected
    assert left(run, f"{name}=nowhere-to-be-found") == []
    begins = [i for i, texts in enumerate(lists) if any(plain(t).startswith("s") for t in texts)]
    assert left(run, f"{name}=s*") == begins


def listed(run, board, name):
    logits = board.shown_logits
    rows = {"fires": board.fires_on, "promotes": logits.top, "suppresses": logits.bottom}[name]
    return [readable(run.corpus.stored.vocabulary[row.token]) for row in rows]


def plain(text):
    return text.strip(" ").casefold()


def test_before_tokens_are_indexed_they_leave_every_latent(run):
    assert left(run, "fires=the") == list(range(40))


def test_what_was_said_of_a_latent_filters_and_sorts(run):
    author = User.objects.create(username="ada")
    for index, withdrawn in ((7, None), (3, None), (5, run.published_at)):
        Explanation.objects.create(
            dictionary=run.dictionary, index=index, text="x", author=author, withdrawn_at=withdrawn
        )
    assert left(run, "has=explanation") == [3, 7]
    assert left(run, "sort=-explained,-index")[:3] == [7, 3, 39]


def test_without_one_filter_there_are_as_many_as_the_others_leave(run):
    selection = select(run, "density=>10%25&max=>100")
    density, top = selection.view.filters
    assert len(selection) == 0
    assert selection.count_without(top) == len(left(run, "density=>10%25"))
    assert selection.count_without(density) == 0


def test_rows_written_again_are_read_again(run):
    assert left(run, "max=>1000") == []
    Latent.objects.filter(index=3).update(max_activation=2000.0)
    assert left(run, "max=>1000") == []
    reindex(run)
    assert left(Run.objects.get(pk=run.pk), f"max={run.dashboard(3).max_activation!r}") == [3]


def test_a_row_without_a_number_is_last_and_in_no_range(run):
    Latent.objects.filter(index=2).update(decoder_norm=None)
    assert left(run, "sort=norm")[-1] == left(run, "sort=-norm")[-1] == 2
    assert 2 not in left(run, "norm=..1e9")


def test_only_signed_latents_have_a_minimum(run):
    assert "min" not in {each.name for each in statistics_of(run)}
    run.plan["ends"] = 2
    assert "min" in {each.name for each in statistics_of(run)}


def test_context_density_counts_contexts_of_the_corpus(run):
    row = rows(run)[0]
    value = STATISTICS["context-density"].of(row, run)
    assert math.isclose(value, row.n_active_contexts / run.corpus.n_contexts)
