"""The words of a corpus, against a search of its text by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.dashboards import words
from featureviz.dashboards.words import ContextText, CorpusWords, Lexicon, Phrase, fold, spans
from tests.dashboards.corpus import write_corpus

WORDS = ["the", "cat", "Cat", "sat", "on", "mat", "cats", "CAT", "straße", "STRASSE", "كتاب"]


def folded(text):
    return [span.word for span in spans(text)]


def corpus_of(folder, texts, width=40, cut=3):
    """Texts as contexts of a start token and pieces of `cut` bytes; the rest is padding."""
    pieces, rows = [b"<|start|>", b"<|pad|>"], []
    for text in texts:
        content = text.encode()
        row = [content[at : at + cut] for at in range(0, len(content), cut)][: width - 1]
        pieces += [piece for piece in dict.fromkeys(row) if piece not in pieces]
        rows.append([0, *map(pieces.index, row), *[1] * (width - 1 - len(row))])
    counted = np.asarray(rows) > 1
    return write_corpus(folder, rows, pieces, counted)


def text_of(corpus, context):
    """What a context reads, by hand."""
    ids = corpus.tokens[context][corpus.counted[context]]
    return b"".join(corpus.vocabulary[token] for token in ids).decode(errors="surrogateescape")


def by_hand(corpus, phrase):
    """(context, the phrase's first word counted from 0), by reading every context."""
    found = []
    for context in range(len(corpus.tokens)):
        read = folded(text_of(corpus, context))
        for at in range(len(read) - len(phrase) + 1):
            row = read[at : at + len(phrase)]
            last = row[-1].startswith(phrase.words[-1]) if phrase.is_beginning else row[-1]
            if row[:-1] == [*phrase.words[:-1]] and last in (True, phrase.words[-1]):
                found.append((context, at))
    return found


def matches(index, phrase):
    places = index.matches(index.ranges(phrase))
    contexts = index.contexts[places]
    return list(zip(contexts.tolist(), (places - index.offsets[contexts]).tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't self_attn(x2)", ["don", "t", "self", "attn", "x2"]),
        ("STRASSE Straße ﬁn", ["strasse", "strasse", "fin"]),
        ("نص عَرَبي", ["نص", "عَرَبي"]),
        ("हिन्दी शब्द", ["हिन्दी", "शब्द"]),
        ("全ての人", ["全", "て", "の", "人"]),
        ("ภาษาไทย", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("e\u0301té été", ["été", "été"]),
        ("🙂 -- !?\n", []),
    ],
)
def test_words_are_runs_of_letters_folded_and_single_characters_where_no_blank_is_written(
    text, found
):
    assert folded(text) == [fold(word) for word in found]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=9), min_size=1, max_size=6),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.booleans(),
    st.data(),
)
def test_phrases_and_beginnings_are_found_where_reading_finds_them(
    tmp_path_factory, texts, wanted, is_beginning, data
):
    corpus = corpus_of(tmp_path_factory.mktemp("corpus"), [" ".join(row) for row in texts])
    text = " ".join(wanted)
    if is_beginning:
        text = text[: data.draw(st.integers(1, len(text)))]
    phrase = Phrase.of(text, is_beginning)
    if phrase.words:
        assert matches(CorpusWords.of(corpus), phrase) == by_hand(corpus, phrase)


@given(
    st.text("ab1_' -\n", max_size=40),
    st.lists(st.text("ab1", min_size=1, max_size=2), min_size=1, max_size=3),
    st.booleans(),
)
def test_plain_texts_hold_a_phrase_where_any_other_would(text, wanted, is_beginning):
    phrase = Phrase(tuple(wanted), is_beginning)
    assert phrase.within(text) == phrase.within(text + " é")


def test_a_phrase_does_not_run_from_one_context_into_the_next(tmp_path):
    index = CorpusWords.of(corpus_of(tmp_path, ["one two", "three four"]))
    assert matches(index, Phrase(("one", "two"))) == [(0, 0)]
    assert matches(index, Phrase(("two", "three"))) == []


def test_scripts_without_blanks_are_found_by_any_string_of_theirs(tmp_path):
    index = CorpusWords.of(corpus_of(tmp_path, ["全ての人間は自由", "人間"], cut=2))
    assert matches(index, Phrase.of("人間")) == [(0, 3), (1, 0)]
    assert matches(index, Phrase.of("の人")) == [(0, 2)]


def test_characters_cut_by_tokens_and_by_the_end_of_a_context_harm_nothing(tmp_path):
    corpus = corpus_of(tmp_path, ["كتاب and كتاب", "xxxxxxx كتاب"], width=6, cut=3)
    index = CorpusWords.of(corpus)
    assert matches(index, Phrase.of("كتاب")) == by_hand(corpus, Phrase.of("كتاب"))
    assert "\udcd8" in text_of(corpus, 1), "this text should end within a character"
    assert ContextText.shown("a\udcd9") == "a‹D9›"


def test_start_padding_and_special_tokens_hold_no_words_and_end_them(tmp_path):
    vocabulary = [b"<|start|>", b"be", b"cause", b"<|end|>"]
    index = CorpusWords.of(write_corpus(tmp_path, [[0, 1, 2, 3], [0, 1, 3, 2]], vocabulary,
                                        [[False, True, True, False],
                                         [False, True, False, True]]))  # fmt: skip
    assert [index.words[number] for number in range(len(index.words))] == ["be", "because", "cause"]
    assert matches(index, Phrase(("because",))) == [(0, 0)]
    assert matches(index, Phrase(("start",))) == []


def test_every_place_knows_the_positions_it_spans(tmp_path):
    vocabulary = [b"<s>", b"a be", b"cau", b"se ", b"b"]
    index = CorpusWords.of(write_corpus(tmp_path, [[0, 1, 2, 3, 4]], vocabulary))
    spanned = list(zip(index.first.tolist(), index.last.tolist(), strict=True))
    assert spanned == [(1, 1), (1, 3), (4, 4)]
    starts, ends = index.places_of(np.zeros(5, np.int32), np.arange(5))
    assert starts.tolist() == [0, 0, 1, 1, 2]
    assert (ends - starts).tolist() == [0, 2, 1, 1, 1]


def test_the_same_corpus_gives_the_same_bytes_however_it_is_read(tmp_path, monkeypatch):
    texts = [f"word{number % 7} of {number} in a row" for number in range(40)]
    first = CorpusWords.of(corpus_of(tmp_path / "a", texts))
    monkeypatch.setattr(words, "_CONTEXTS_AT_ONCE", 3)
    monkeypatch.setattr(words, "_PLACES_AT_ONCE", 5)
    second = CorpusWords.of(corpus_of(tmp_path / "b", texts))
    names = sorted(path.name for path in first.folder.iterdir())
    assert names == sorted(path.name for path in second.folder.iterdir())
    assert not [name for name in names if not name.endswith(".npy")]
    for name in names:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name


def test_a_corpus_without_a_word_has_an_index_that_finds_nothing(tmp_path):
    index = CorpusWords.of(corpus_of(tmp_path, ["?!", "..."]))
    assert matches(index, Phrase(("a",))) == []
    assert matches(index, Phrase(("a",), is_beginning=True)) == []
    starts, ends = index.places_of(np.array([0]), np.array([1]))
    assert (starts.tolist(), ends.tolist()) == ([0], [0])


@given(st.lists(st.text(max_size=4), unique=True), st.text(max_size=3))
def test_a_lexicon_finds_texts_and_beginnings(tmp_path_factory, texts, wanted):
    folder = tmp_path_factory.mktemp("lexicon")
    ordered = sorted(text.encode() for text in texts)
    Lexicon.write(folder, "words", ordered)
    lexicon = Lexicon.read(folder, "words")
    whole = [lexicon[number] for number in lexicon.range_of(wanted)]
    begun = [lexicon[number] for number in lexicon.range_of(wanted, is_beginning=True)]
    assert whole == [text for text in texts if text == wanted]
    assert sorted(begun) == sorted(text for text in texts if text.startswith(wanted))


def test_tokens_are_looked_up_without_the_blanks_around_them():
    assert words.token_text(b" The ") == "the"
    assert words.token_text(b"   ") == "   "
    assert words.token_text(b"\n ") == "\n"
    assert words.token_text(b"\xd7") == "‹d7›"
