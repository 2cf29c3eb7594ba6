"""Which tokens a latent fires on."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.engine.sketches.token_counts import COUNT, empty_token_counts, most_frequent


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 8))
def test_the_most_frequent_tokens_come_first_ties_by_id_and_unseen_ones_never(tokens, k):
    counts = Counter(tokens)
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    table = empty_token_counts(1, 6)
    table[0, :, COUNT] = np.bincount(np.array(tokens, int), minlength=6)
    assert most_frequent(table[0], k).tolist() == ranked[:k]
