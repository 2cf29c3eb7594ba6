"""What a run's latents are found by, against a reading of every dashboard."""

import msgspec
import numpy as np
import pytest

from featureviz.dashboards.finding import DOUBT, ELSEWHERE, Gathering, RunIndex, ranges_of
from featureviz.dashboards.words import Phrase
from tests.dashboards.test_words import by_hand, corpus_of
from tests.factories import TEXTS, make_dashboard, tokenised, write_corpus_of

N_LATENTS = 9
PHRASES = [
    Phrase.of("else"),
    Phrase.of("something"),
    Phrase.of("something else happened"),
    Phrase.of("and", is_beginning=True),
    Phrase.of("s", is_beginning=True),
    Phrase.of("مشروع القانون"),
    Phrase.of("人間"),
    Phrase.of("absent"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A corpus, dashboards over it, and their index."""
    folder = tmp_path_factory.mktemp("store")
    text = tokenised(TEXTS)
    corpus = write_corpus_of(folder / "corpus", text)
    boards = [make_dashboard(index, text, N_LATENTS) for index in range(N_LATENTS)]
    gathering = Gathering()
    for board in boards:
        gathering.add(board)
    gathering.write(folder / "run", corpus)
    return corpus, boards, RunIndex.of(folder / "run", corpus.folder)


def kept(board):
    """The places of a latent's examples, each once."""
    every = [*board.top, *board.random]
    every += [example for interval in board.intervals for example in interval.examples]
    return {(example.context, example.position): example for example in every}


def peaks_in(corpus, phrase, context, position):
    """Whether a token at a position is part of a place where a phrase stands, by its text."""
    row = corpus.tokens[context]
    pieces = [
        corpus.vocabulary[token] if counted else b"\n"
        for token, counted in zip(row.tolist(), corpus.counted[context].tolist(), strict=True)
    ]
    ends = np.cumsum([len(piece) for piece in pieces])
    text = b"".join(pieces).decode(errors="surrogateescape")
    for start, end in phrase.within(text):
        first, last = (len(text[:at].encode(errors="surrogateescape")) for at in (start, end))
        begin = int(ends[position - 1])
        if begin < last and int(ends[position]) > first:
            return True
    return False


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: " ".join(phrase.words))
def test_examples_that_hold_a_phrase_are_counted_as_reading_counts_them(found, phrase):
    corpus, boards, index = found
    held = index.held(phrase)
    contexts = {context for context, _ in by_hand(corpus, phrase)}
    for board in boards:
        places = [place for place in kept(board) if place[0] in contexts]
        peaking = [place for place in places if peaks_in(corpus, phrase, *place)]
        assert held.at_peak[board.index] == len(peaking)
        assert held.elsewhere[board.index] == len(places) - len(peaking)


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: " ".join(phrase.words))
def test_of_a_frequent_phrase_the_peaks_are_the_same(found, phrase):
    _, _, index = found
    all_of_it, frequent = index.held(phrase), index.held(phrase, most=-1)
    assert frequent.only_peaks
    assert frequent.at_peak.tolist() == all_of_it.at_peak.tolist()
    assert not frequent.elsewhere.any()


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: " ".join(phrase.words))
def test_the_place_shown_is_the_strongest_that_peaks_in_the_phrase_else_that_holds_it(
    found, phrase
):
    corpus, boards, index = found
    stands = by_hand(corpus, phrase)
    contexts = {context for context, _ in stands}
    for board in boards:
        places = {at: each for at, each in kept(board).items() if at[0] in contexts}
        peaking = {at: each for at, each in places.items() if peaks_in(corpus, phrase, *at)}
        shown = index.best_place(board.index, phrase)
        if not places:
            assert shown is None
            continue
        strongest = max(each.activation for each in (peaking or places).values())
        assert shown.activation == pytest.approx(strongest)
        assert (shown.context, shown.position) in (peaking or places)
        assert (shown.context, shown.word) in stands
        here = {word for context, word in stands if context == shown.context}
        assert {first for first, _ in shown.matches} == here
        assert {last - first for first, last in shown.matches} == {len(phrase) - 1}


def test_strength_by_phrase_is_the_share_of_peaks_held_down_by_doubt(found):
    _, boards, index = found
    held = index.held(Phrase.of("else"))
    expected = [
        (held.at_peak[board.index] + ELSEWHERE * held.elsewhere[board.index])
        / (len(kept(board)) + DOUBT)
        for board in boards
    ]
    assert index.by_phrase(held).tolist() == pytest.approx(expected)


def test_tokens_it_fires_on_count_by_their_share_and_promoted_ones_by_their_rank(found):
    _, boards, index = found
    tokens = np.array([boards[0].fires_on[0].token, boards[0].fires_on[2].token])
    fires, promotes = index.by_tokens("fires", tokens), index.by_tokens("promotes", tokens)
    for board in boards:
        n_active = sum(c.n_active for c in board.fires_on if c.token in tokens)
        assert fires[board.index] == pytest.approx(n_active / (board.n_active + DOUBT))
        ranks = [rank for rank, row in enumerate(board.shown_logits.top, 1) if row.token in tokens]
        assert promotes[board.index] == pytest.approx(min(1, sum(1 / rank for rank in ranks)))


def test_the_lists_of_a_latent_are_those_of_its_dashboard(found):
    _, boards, index = found
    for board in boards:
        fires = index.tokens["fires"].of(board.index)
        assert [token for token, _ in fires] == [count.token for count in board.fires_on]
        suppressed = index.tokens["suppresses"].of(board.index)
        assert [token for token, _ in suppressed] == [r.token for r in board.shown_logits.bottom]
        assert index.fact("density")[board.index] == board.density
        assert index.fact("n_examples")[board.index] == len(kept(board))


def test_both_ends_of_a_signed_latent_are_found(tmp_path, found):
    corpus, boards, _ = found
    negative = msgspec.structs.replace(boards[1], max_activation=-boards[1].max_activation)
    signed = msgspec.structs.replace(boards[0], negative=negative)
    gathering = Gathering()
    gathering.add(signed)
    gathering.write(tmp_path, corpus)
    index = RunIndex.of(tmp_path, corpus.folder)
    fired = {token for token, _ in index.tokens["fires"].of(0)}
    assert fired == {count.token for each in boards[:2] for count in each.fires_on}
    assert index.fact("n_active")[0] == boards[0].n_active + boards[1].n_active
    assert index.fact("min")[0] == -boards[1].max_activation


def test_gathering_again_gives_the_same_bytes_and_replaces_only_when_asked(tmp_path, found):
    corpus, boards, _ = found
    contents = []
    for again in range(3):
        gathering = Gathering()
        for board in boards[: N_LATENTS if again < 2 else 3]:
            gathering.add(board)
        gathering.write(tmp_path, corpus, replace=again == 1)
        contents.append(
            {path.name: path.read_bytes() for path in sorted((tmp_path / "finding").iterdir())}
        )
    assert contents[0] == contents[1] == contents[2]


def test_what_was_not_gathered_is_said_to_be_missing(tmp_path, found):
    corpus, _, _ = found
    assert RunIndex.of(tmp_path / "other", corpus.folder) is None
    other = corpus_of(tmp_path / "unread", ["no index of words"])
    assert RunIndex.of(tmp_path, other.folder) is None


def test_ranges_follow_one_another():
    found = ranges_of(np.array([3, 7, 7, 0]), np.array([5, 7, 9, 1]))
    assert found.tolist() == [3, 4, 7, 8, 0]
