"""Classes of tokens and the proxy, against the worked cases and by brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from featureviz.dashboards import classes
from featureviz.dashboards.classes import WRITING, Sums

ARABIC, CYRILLIC, DIGITS = (WRITING.index(name) for name in ("arabic", "cyrillic", "digits"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("كتاب", "arabic"),
        (" كتاب", "arabic"),
        ("،", "arabic"),  # common to several scripts, but of the Arabic block
        ("كِتاب", "arabic"),  # with a vowel sign
        ("ספר", "hebrew"),
        ("мир", "cyrillic"),
        ("自由", "han"),
        ("すべて", "hiragana"),
        ("नमस्ते", "devanagari"),
        ("é", "latin"),
        ("123", "digits"),
        (" ", None),
        ("", None),
        (".", None),
        ("мirа", None),
        ("كتاب.", None),
        ("x1", None),
        ("كتاب ", None),
        ("🙂", None),
    ],
)
def test_a_text_is_in_the_class_that_all_its_characters_are_in(text, name):
    assert classes.writing_class(text) == (WRITING.index(name) if name else classes.NONE)


def test_the_proxy_of_a_script_is_that_of_the_methods_case():
    assert classes.writing_score(1.0, 0.0013) == pytest.approx(6.645391, abs=1e-6)
    assert classes.writing_score(0.0, 0.0013) == pytest.approx(-16.380460, abs=1e-6)


def test_the_proxy_of_dna_is_that_of_the_methods_case():
    probabilities = np.array([1e-4, 1e-3])
    weights = classes.alphabet_weights([b"CAT", b"GG"], probabilities, classes.ALPHABETS["dna"])
    assert weights == pytest.approx([5.051457, 4.135166], abs=1e-6)
    assert weights.sum() == pytest.approx(9.186624, abs=1e-6)  # of the string CATGG
    assert classes.best_suffix(weights[None])[0, 1] == pytest.approx(9.186624, abs=1e-6)


def test_a_character_outside_the_alphabet_is_next_to_impossible():
    weights = classes.alphabet_weights([b"CAx"], np.array([1e-4]), "ACGT")
    assert weights[0] == pytest.approx(math.log(1 / 4 * 1 / 4 * 1e-10 / 1e-4))


def test_a_token_never_seen_has_a_probability_all_the_same():
    found = classes.unigrams(np.array([7, 0, 1]))
    assert found.tolist() == [8 / 11, 1 / 11, 2 / 11]


@settings(deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 16)),
           elements=st.one_of(st.just(-np.inf), st.floats(-20, 20))),
)  # fmt: skip
def test_the_best_suffix_is_the_best_of_up_to_ten_tokens_that_end_there(weights):
    found = classes.best_suffix(weights)
    for row, column in np.ndindex(*weights.shape):
        starts = range(max(0, column - 9), column + 1)
        best = max(math.fsum(weights[row, start : column + 1]) for start in starts)
        assert found[row, column] == pytest.approx(best, abs=1e-9)


VOCABULARY = [
    b"<s>", "م".encode(), "م".encode()[:1], "م".encode()[1:], "ж".encode()[:1], "ж".encode()[1:],
    b" .", "م".encode()[1:] + b"x", "مم".encode()[:3],
]  # fmt: skip


def rows_of(*tokens, counted=None):
    row = np.array([tokens], np.int32)
    counts = np.ones(row.shape, np.bool_) if counted is None else np.array([counted])
    by_token = classes.writing_of_tokens(VOCABULARY)
    found, unfinished = classes.writing_of_rows(row, counts, VOCABULARY, by_token)
    return found[0].tolist(), unfinished[0].tolist()


NONE = classes.NONE


@pytest.mark.parametrize(
    ("tokens", "expected", "unfinished"),
    [
        ((1, 6), [ARABIC, NONE], [False, False]),  # whole characters
        ((2, 3, 6), [ARABIC, ARABIC, NONE], [True, False, False]),  # one character in two tokens
        ((8, 3), [ARABIC, ARABIC], [True, False]),  # a whole one, and the next begun
        ((2, 3, 4, 5), [ARABIC, ARABIC, CYRILLIC, CYRILLIC], [True, False, True, False]),
        ((2, 7), [NONE, NONE], [True, False]),  # the character ends, and Latin follows in the token
        ((6, 2), [NONE, NONE], [False, True]),  # cut at the end of a context: it never decodes
        ((3, 6), [NONE, NONE], [True, False]),  # begun in the context before
    ],
)
def test_tokens_of_a_split_character_have_its_class(tokens, expected, unfinished):
    assert rows_of(*tokens) == (expected, unfinished)


def test_uncounted_positions_are_in_no_class_and_split_what_stands_beside_them():
    found = rows_of(1, 1, 2, 3, counted=[False, True, True, False])
    assert found == ([NONE, ARABIC, NONE, NONE], [False, False, True, False])


def test_pearson_is_that_of_the_methods_case():
    x, y = Sums(6, 20), Sums(8, 26)  # [0, 0, 2, 4] and [1, 0, 3, 4]
    assert classes.pearson(4, x, y, 22) == pytest.approx(0.953463, abs=1e-6)


def test_a_series_that_never_varies_correlates_with_nothing():
    ones = Sums(1000 * 0.1, 1000 * 0.1**2)
    assert classes.pearson(1000, ones, Sums(5, 9), 3) is None
    assert classes.pearson(1000, Sums(5, 9), ones, 3) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=30).map(np.array)
)
def test_pearson_from_sums_is_numpys(pairs):
    x, y = pairs[:, 0], pairs[:, 1]
    found = classes.pearson(
        len(x), Sums(x.sum(), (x**2).sum()), Sums(y.sum(), (y**2).sum()), (x * y).sum()
    )
    if min(x.std(), y.std()) > 1e-3:
        assert found == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)


def test_every_class_has_words():
    assert classes.label("arabic") == "Arabic script"
    assert classes.label("dna") == "DNA"
    assert classes.label("han") == "Chinese characters"
