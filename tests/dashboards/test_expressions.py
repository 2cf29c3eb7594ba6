"""Regular expressions of a reader's own: what they cover, and that none can do harm."""

import time

import numpy as np
import pytest

from featureviz.dashboards.expressions import LONGEST, ExpressionError, matched
from tests.dashboards.corpus import write_corpus

MEEM = "م".encode()
VOCABULARY = [b"<s>", b"def", b" def", b"ine", b" 12", b"3", b"(", MEEM[:1], MEEM[1:], b" "]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rows = [
        [0, 1, 3, 4, 5, 6],  # define 123(
        [0, 2, 7, 8, 9, 1],  # ␣def, a split character, a blank, def
        [0, 1, 0, 3, 4, 4],  # def | ine 12 12, cut by a special token
    ]
    return write_corpus(tmp_path_factory.mktemp("corpus") / "c", rows, VOCABULARY)


@pytest.mark.parametrize(
    ("pattern", "inside"),
    [
        ("def", [[1], [1, 5], [1]]),  # the blank before it is looked past
        ("define", [[1, 2], [], []]),  # not over a special token
        (r"\d+", [[3, 4], [], [4, 5]]),
        (r"\d", [[3, 4], [], [4, 5]]),  # neighbouring matches cover it together
        ("2", [[], [], []]),  # a part is not enough
        (r"\p{Arabic}", [[], [2, 3], []]),  # all tokens of a split character
        ("f.*", [[2, 3, 4, 5], [2, 3, 4, 5], []]),
        (" ", [[], [4], []]),
        ("x*", [[], [], []]),  # matches nothing, everywhere
        ("(?i)DEF$", [[], [5], [1]]),
    ],
)
def test_a_token_is_inside_when_matches_cover_all_its_characters(corpus, pattern, inside):
    found = matched(corpus, pattern)
    assert found.step == 1
    assert [np.flatnonzero(row).tolist() for row in found.inside] == inside


def test_uncounted_tokens_are_never_inside(corpus):
    assert not matched(corpus, "(?s).*").inside[~corpus.counted].any()
    assert matched(corpus, "(?s).*").inside[corpus.counted].all()


@pytest.mark.parametrize(
    ("pattern", "at"), [("(a", 2), ("[z-a]", 4), ("*a", 0), ("a(?P<x", 6), (r"\p{Martian}", 11)]
)
def test_a_bad_pattern_says_where(corpus, pattern, at):
    with pytest.raises(ExpressionError) as caught:
        matched(corpus, pattern)
    assert caught.value.at == at
    assert str(caught.value)


def test_an_empty_or_endless_pattern_is_refused(corpus):
    with pytest.raises(ExpressionError, match="empty"):
        matched(corpus, "")
    with pytest.raises(ExpressionError, match=str(LONGEST)):
        matched(corpus, "a" * (LONGEST + 1))


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:d|e|f|de|ef|fd)+\d",  # backtracks
        "(?:(?:(?:(?:a?){100}){100}){100}){100}b",  # fills the memory while it is compiled
    ],
)
def test_a_hostile_pattern_is_stopped(tmp_path, pattern):
    rows = np.tile(np.array([0] + [1] * 500), (20, 1))
    hard = write_corpus(tmp_path / "c", rows, VOCABULARY)
    started = time.monotonic()
    with pytest.raises(ExpressionError, match="stopped"):
        matched(hard, pattern)
    assert time.monotonic() - started < 30


def test_of_a_large_corpus_evenly_spaced_contexts_are_looked_at(corpus, monkeypatch):
    monkeypatch.setattr("featureviz.dashboards.expressions.MOST_POSITIONS", 9)
    found = matched(corpus, r"\d")
    assert found.step == 2
    assert [np.flatnonzero(row).tolist() for row in found.inside] == [[3, 4], [4, 5]]
