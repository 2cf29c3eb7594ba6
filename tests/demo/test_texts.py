"""The demo's corpus: deterministic, and split so that nothing held out was trained on."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from featureviz.demo import texts
from featureviz.demo.scripts import main_script, script_of


@pytest.fixture(scope="module")
def held_out():
    return texts.held_out_documents()


def test_held_out_documents_are_the_same_each_time(held_out):
    texts.catalogue_sentences.cache_clear()
    assert texts.held_out_documents() == held_out


def test_document_ids_are_unique(held_out):
    assert max(Counter(document.id for document in held_out).values()) == 1


def test_code_files_are_on_one_side_of_the_split(held_out):
    names = {document.id.partition("#")[0] for document in held_out if document.kind == "code"}
    training = {name for name, _ in texts.code_files() if not texts.is_held_out_file(name)}
    assert len(names) > 30
    assert len(training) > 300
    assert names.isdisjoint(training)


def test_held_out_pieces_are_whole_files(held_out):
    name, text = next(file for file in texts.code_files() if texts.is_held_out_file(file[0]))
    pieces = {d.id: d.text for d in held_out if d.id.startswith(f"{name}#")}
    in_order = [pieces[f"{name}#{number}"] for number in range(len(pieces))]
    assert text.startswith("".join(in_order))
    assert len("".join(in_order).rstrip()) == len(text.rstrip())


def test_no_held_out_sentence_is_trained_on():
    training, held_out = texts._split_sentences()
    assert {s.text for s in training}.isdisjoint(s.text for s in held_out)


def test_a_msgid_is_held_out_in_every_language():
    training, held_out = texts._split_sentences()
    msgids = {sentence.msgid for sentence in held_out if sentence.language != "he"}
    assert msgids.isdisjoint(sentence.msgid for sentence in training)
    languages = {s.msgid: set() for s in held_out}
    for sentence in held_out:
        languages[sentence.msgid].add(sentence.language)
    assert max(map(len, languages.values())) > 60


def test_more_of_hebrew_is_held_out_than_of_any_language():
    shares = dict[str, list[bool]]()
    for sentence in texts.catalogue_sentences():
        kept = texts.is_held_out_sentence(sentence.language, sentence.msgid)
        shares.setdefault(sentence.language, []).append(kept)
    hebrew = shares.pop("he")
    assert sum(hebrew) / len(hebrew) == pytest.approx(0.4, abs=0.05)
    assert max(sum(kept) / len(kept) for kept in shares.values() if len(kept) > 300) < 0.25


def test_any_quarter_of_the_corpus_holds_code_and_every_large_script(held_out):
    size = len(held_out) // 4
    for start, end in pairwise(range(0, 4 * size + 1, size)):
        part = held_out[start:end]
        assert sum(document.kind == "code" for document in part) > size / 3
        scripts = {main_script(d.text) for d in part if d.kind == "catalogues"}
        assert {"latin", "cyrillic", "arabic"} <= scripts


def test_a_repeat_says_the_same_in_another_order():
    sentences = [texts.Sentence("ar", f"id {n}", f"جملة {n}") for n in range(9)]
    first, second = (
        next(texts.catalogue_documents(sentences, repeat)).text.split() for repeat in (0, 1)
    )
    assert first != second
    assert sorted(first) == sorted(second)


def test_latin_catalogues_are_not_repeated():
    sentences = [texts.Sentence("fr", "Yes", "Oui")]
    assert [d.text for d in texts.catalogue_documents(sentences)] == ["Oui"]
    assert list(texts.catalogue_documents(sentences, repeat=1)) == []


def test_sentences_are_joined_into_paragraphs_not_lines():
    text = next(texts._joined("x", [f"S{n}." for n in range(12)])).text
    assert text == "S0. S1. S2. S3. S4.\n\nS5. S6. S7. S8. S9.\n\nS10. S11."


def test_the_corpus_file_is_json_lines_of_the_held_out_documents(tmp_path, held_out):
    path = tmp_path / "held_out.jsonl"
    assert texts.write_demo_corpus(path) == len(held_out)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    assert rows == [{"id": d.id, "text": d.text} for d in held_out]


@pytest.mark.parametrize(
    ("character", "script"),
    [
        *(("a", "latin"), ("é", "latin"), ("7", "digit"), (" ", ""), ("%", ""), ("—", "")),
        *(("ب", "arabic"), ("،", "arabic"), ("ש", "hebrew"), ("й", "cyrillic"), ("λ", "greek")),
        *(("한", "hangul"), ("語", "cjk"), ("ひ", "hiragana"), ("क", "devanagari")),
    ],
)
def test_script_of_a_character(character, script):
    assert script_of(character) == script
