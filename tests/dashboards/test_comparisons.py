"""Two latents side by side: every figure against brute force over whole series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.dashboards.comparisons import fired_tokens, in_context, meet, overlap
from featureviz.dashboards.own_class import Firing
from tests.factories import CONTEXT_SIZE, TEXTS, make_run
from tests.spools import fired

N = 40
SERIES = st.lists(
    st.one_of(st.just(0.0), st.floats(2**-6, 5, width=32)), min_size=N, max_size=N
).map(np.array)


def firing(series):
    places = np.flatnonzero(series)
    return Firing(places.astype(np.int64), series[places].astype(np.float32))


@given(SERIES, SERIES)
def test_where_both_fire_is_as_sets_of_places_have_it(x, y):
    found = meet(firing(x), firing(y), N)
    one, other = set(np.flatnonzero(x).tolist()), set(np.flatnonzero(y).tolist())
    assert (found.n_both, found.n_either) == (len(one & other), len(one | other))
    assert found.jaccard == len(one & other) / max(1, len(one | other))


@given(SERIES, SERIES)
def test_the_correlation_is_that_of_the_whole_series_silence_included(x, y):
    found = meet(firing(x), firing(y), N).correlation
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert found is None
    elif min(np.std(x), np.std(y)) > 1e-3:
        assert found == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-7)


def test_a_latent_beside_itself_is_the_same():
    x = firing(np.array([0, 1.5, 0, 2, 0.25]))
    found = meet(x, x, 5)
    assert found.jaccard == 1
    assert found.correlation == pytest.approx(1)


def test_a_latent_that_never_fires_has_no_correlation_and_meets_nothing():
    found = meet(firing(np.zeros(5)), firing(np.array([0, 1.0, 0, 0, 0])), 5)
    assert (found.n_both, found.jaccard, found.correlation) == (0, 0, None)
    assert meet(firing(np.zeros(5)), firing(np.zeros(5)), 5).jaccard == 0


def test_the_overlap_of_the_worked_case():
    a, b = {"the": 3, "a": 1}, {"the": 1, "an": 1}  # shares .75 .25 and .5 .5
    assert overlap(a, b) == 0.5
    assert overlap(a, a) == 1
    assert overlap(a, {"no": 2}) == 0
    assert overlap(a, {}) is None


@pytest.mark.django_db
def test_tokens_and_contexts_are_those_of_the_text(store):
    run = make_run()
    corpus, one = run.corpus.stored, fired(run)[2]
    found = Firing(np.array([place for place, _ in one]), np.array([v for _, v in one], np.float32))
    ids = [int(corpus.tokens.ravel()[place]) for place, _ in one]
    assert fired_tokens(found, corpus) == {token: ids.count(token) for token in ids}
    for context in range(len(TEXTS)):
        inside = {
            place - context * CONTEXT_SIZE: np.float32(value)
            for place, value in one
            if place // CONTEXT_SIZE == context
        }
        assert in_context(found, context, CONTEXT_SIZE) == inside
