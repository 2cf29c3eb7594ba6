"""Which tokens a latent fires on."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.engine.sketches.token_counts import (
    COUNT,
    TOTAL,
    empty_tally,
    forget,
    keep_most_frequent,
)


def kept(tally, seen, k):
    found = np.full(k, 7), np.full(k, 7), np.full(k, 7.0)  # what stood there before is replaced
    keep_most_frequent(tally.counts, np.array(seen, np.int64), *found)
    return found


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 8))
def test_the_most_frequent_tokens_come_first_ties_by_id_and_unseen_ones_never(tokens, k):
    counts = Counter(tokens)
    ranked = sorted(counts, key=lambda token: (-counts[token], token))[:k]
    tally = empty_tally(6)
    tally.counts[:, COUNT] = np.bincount(np.array(tokens, int), minlength=6)
    tally.counts[:, TOTAL] = tally.counts[:, COUNT] / 4
    found, how_often, totals = kept(tally, list(counts), k)
    assert found[: len(ranked)].tolist() == ranked
    assert how_often.tolist() == [counts[token] for token in ranked] + [0] * (k - len(ranked))
    assert totals.tolist() == [count / 4 for count in how_often]


def test_what_is_forgotten_counts_no_more():
    tally = empty_tally(4)
    tally.counts[[1, 3]] = 5
    forget(tally.counts, np.array([1, 3]))
    assert not tally.counts.any()
