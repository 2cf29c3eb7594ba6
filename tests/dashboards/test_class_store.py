"""The stored classes of a corpus, against the brute force of tests/oracles/classes.py."""

import math
import threading

import numpy as np
import pytest

from featureviz.dashboards.class_store import CorpusClasses
from featureviz.dashboards.classes import ALPHABETS, CERTAIN
from tests.dashboards.corpus import write_corpus
from tests.oracles.classes import alphabet_score, in_script, laplace, spots

MEEM = "م".encode()
VOCABULARY = [
    b"<s>", MEEM, MEEM[:1], MEEM[1:], "ж".encode(), b" ", b"CAT", b"GG", b"x1", b"42", b"e3b0c4",
    " مم".encode(), b"SGVsbG8", "ж".encode()[:1], "ж".encode()[1:],
    *(bytes([letter]) for letter in b"abcdeACGTghijklm0123456789"),
    b"TA", b"GC", b"AT", b"CG",
]  # fmt: skip
COMMON = 15  # tokens; the letters after them are rare
D_VOCAB = len(VOCABULARY)
LEADS, ENDS = (2, 13), (3, 14)  # first and second bytes of a character, alone


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    random = np.random.default_rng(0)
    tokens = random.integers(1, COMMON, (60, 16))
    planted = [
        *range(COMMON, COMMON + 9),
        *range(D_VOCAB - 4, D_VOCAB),
        *range(COMMON + 9, D_VOCAB - 4),
    ]
    tokens[:2, 1:] = np.array(planted).reshape(2, 15)
    for row in tokens:  # split characters, whole as a rule
        for at in np.flatnonzero(np.isin(row[:-1], LEADS)):
            if row[at] in LEADS and random.random() < 0.8:
                row[at + 1] = row[at] + 1
    tokens[:, 0] = 0
    tokens[random.random(tokens.shape) < 0.05] = 0
    return write_corpus(tmp_path_factory.mktemp("corpus") / "c", tokens, VOCABULARY)


@pytest.fixture(scope="module")
def found(corpus):
    return CorpusClasses.of(corpus, least_tokens=3)


@pytest.fixture(scope="module")
def truth(corpus):
    return spots(corpus.tokens.tolist(), corpus.counted.tolist(), VOCABULARY)


def column(found, name):
    marks = found.marks(range(60))
    number = [one.name for one in found.facts].index(name)
    return marks.members[:, number].reshape(60, 16), marks.scores[:, number].reshape(60, 16)


@pytest.mark.parametrize("name", ALPHABETS)
def test_alphabets_are_scored_by_the_best_of_all_windows(found, truth, name):
    members, scores = column(found, name)
    p = laplace(truth, D_VOCAB)
    for spot in truth:
        score = alphabet_score(spot, p, ALPHABETS[name])
        at = spot.context, spot.position
        assert scores[at] == pytest.approx(max(score, 0), abs=1e-5)
        assert members[at] == (score >= CERTAIN)
    assert members.any()


@pytest.mark.parametrize(("name", "word"), [("arabic", "ARABIC"), ("cyrillic", "CYRILLIC")])
def test_scripts_are_scored_by_bayes_and_split_characters_by_their_whole(found, truth, name, word):
    members, scores = column(found, name)
    inside = {(spot.context, spot.position): _text_of(spot, word) for spot in truth}
    base = sum(inside.values()) / len(truth)
    for spot in truth:
        at = spot.context, spot.position
        assert members[at] == inside[at]
        if _ends_whole(spot):
            p = 1.0 if inside[at] else 0.0
        else:
            same = [(one.context, one.position) for one in truth if one.token == spot.token]
            p = sum(inside[one] for one in same) / len(same)
        score = math.log(max(p, 1e-10)) - math.log(base)
        assert scores[at] == pytest.approx(max(score, 0), abs=1e-5)


def _text_of(spot, word):
    """Whether the text a token is of, or is a piece of, is in a script."""
    if spot.token in LEADS:
        return spot.after[:1] in _bytes(ENDS) and in_script(
            (spot.piece + spot.after[:1]).decode(), word
        )
    if spot.token in ENDS:
        return _ends_whole(spot) and in_script((spot.before[-1][1] + spot.piece).decode(), word)
    return in_script(spot.piece.decode(), word)


def _ends_whole(spot):
    if spot.token in ENDS:
        return bool(spot.before) and spot.before[-1][0] in LEADS
    return spot.token not in LEADS


def _bytes(tokens):
    return {VOCABULARY[token] for token in tokens}


def test_classes_with_few_tokens_are_left_out(found, corpus):
    names = {one.name for one in found.facts}
    assert {"arabic", "cyrillic", "digits", "dna", "base64"} <= names
    assert "hebrew" not in names
    assert all(one.n_tokens >= 3 for one in found.facts)


def test_facts_are_the_sums_of_the_marks(found, corpus):
    marks = found.marks(range(60))
    for number, one in enumerate(found.facts):
        scores = marks.scores[:, number].astype(np.float64)
        assert one.n_tokens == marks.members[:, number].sum()
        assert one.total == pytest.approx(scores.sum())
        assert one.squares == pytest.approx((scores**2).sum())


def test_uncounted_positions_are_in_no_class_and_have_no_score(found, corpus):
    marks = found.marks(range(60))
    uncounted = ~corpus.counted.reshape(-1)
    assert uncounted.any()
    assert not marks.members[uncounted].any()
    assert not marks.scores[uncounted].any()


def test_marks_of_some_contexts_are_those_of_all(found):
    whole, part = found.marks(range(60)), found.marks(range(7, 19))
    assert np.array_equal(whole.members[7 * 16 : 19 * 16], part.members)
    assert np.array_equal(whole.scores[7 * 16 : 19 * 16], part.scores)


def test_several_who_need_the_classes_at_once_leave_one_whole_folder(corpus, tmp_path):
    copy = write_corpus(tmp_path / "c", corpus.tokens, VOCABULARY)
    threads = [threading.Thread(target=CorpusClasses.of, args=(copy, 3)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CorpusClasses.of(copy).facts == CorpusClasses.of(corpus).facts
    assert [path.name for path in copy.folder.iterdir() if path.is_dir()] == ["classes"]
