"""Text becomes contexts by the stated rules, and its bytes survive."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.engine import corpus
from featureviz.engine.corpus import cut, read_documents, store_corpus, token_bytes
from featureviz.engine.errors import CorpusError
from tests.engine.conftest import START

BOS, EOS, PAD = 1, 2, 3


class Letters:
    """A tokenizer of letters: a is 10, b is 11, …; `!` is the end token, written out."""

    def __init__(self, bos: int | None = BOS, pad: int | None = PAD, names=None) -> None:
        self.names = names
        self.bos_token_id = bos
        self.eos_token_id = EOS
        self.pad_token_id = pad
        self.all_special_ids = [token for token in (bos, EOS, pad) if token is not None]

    def __len__(self) -> int:
        return 40

    def __call__(self, texts, **_):
        return {"input_ids": [[EOS if c == "!" else ord(c) - 87 for c in text] for text in texts]}

    def convert_ids_to_tokens(self, ids):
        return self.names or [chr(index + 87) for index in ids]


def rows(contexts):
    return contexts.tokens.tolist()


def test_a_document_is_cut_in_runs_with_the_start_token_before_each():
    contexts = cut(["abcdefg"], Letters(), 4)
    assert rows(contexts) == [
        [BOS, 10, 11, 12],
        [BOS, 13, 14, 15],
        [BOS, 16, PAD, PAD],
    ]
    assert contexts.lengths.tolist() == [4, 4, 2]
    assert contexts.counted.tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 0, 0]]


def test_without_a_start_token_runs_fill_the_whole_context():
    contexts = cut(["abcde"], Letters(bos=None), 4)
    assert rows(contexts) == [[10, 11, 12, 13], [14, PAD, PAD, PAD]]
    assert contexts.counted.tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]


def test_contexts_never_cross_documents_and_know_theirs():
    contexts = cut(["ab", "", "cdef", "g"], Letters(), 3)
    assert rows(contexts) == [[BOS, 10, 11], [BOS, 12, 13], [BOS, 14, 15], [BOS, 16, PAD]]
    assert contexts.documents.tolist() == [0, 2, 2, 3]


def test_special_tokens_written_in_the_text_stay_but_count_in_no_statistic():
    contexts = cut(["a!b"], Letters(), 5)
    assert rows(contexts) == [[BOS, 10, EOS, 11, PAD]]
    assert contexts.counted.tolist() == [[0, 1, 0, 1, 0]]


def test_a_real_token_that_also_pads_counts_inside_the_text_only():
    letters = Letters(pad=None)
    letters.eos_token_id = None
    letters.all_special_ids = []
    letters.bos_token_id = None
    contexts = cut(["ab"], letters, 4)
    assert rows(contexts) == [[10, 11, 0, 0]]
    assert contexts.counted.tolist() == [[1, 1, 0, 0]]


@pytest.mark.parametrize("wanted", [1, 3, 300, 301, 500, 10_000])
def test_at_most_so_many_contexts_are_made_the_first_ones(wanted):
    documents = ["abc"] * 600  # more than are tokenised together
    contexts = cut(iter(documents), Letters(), 3, wanted)
    assert len(contexts.tokens) == min(wanted, 1200)
    assert contexts.documents.tolist() == [n // 2 for n in range(min(wanted, 1200))]


@pytest.mark.parametrize("documents", [[], [""], ["", ""]])
def test_documents_without_any_text_are_refused(documents):
    with pytest.raises(CorpusError, match="no text"):
        cut(documents, Letters(), 4)


@settings(deadline=None)
@given(
    st.lists(st.text("abcdefgh!", max_size=12), max_size=8).filter(any),
    st.integers(2, 6),
    st.booleans(),
)
def test_the_text_can_be_put_together_again_from_its_contexts(documents, size, has_bos):
    letters = Letters(bos=BOS if has_bos else None)
    contexts = cut(documents, letters, size)
    again: dict[int, list[int]] = {}
    for row, length, document in zip(
        contexts.tokens, contexts.lengths, contexts.documents, strict=True
    ):
        again.setdefault(int(document), []).extend(row[has_bos:length].tolist())
        assert (row[length:] == PAD).all()
    encoded = letters(documents)["input_ids"]
    assert again == {number: ids for number, ids in enumerate(encoded) if ids}
    assert contexts.counted.sum() == sum(t != EOS for ids in encoded for t in ids)
    full = [length for length in contexts.lengths if length == size]
    assert len(contexts.lengths) - len(full) <= sum(map(bool, documents))  # one tail a document


# Bytes of tokens

SCRIPTS = {
    "latin": "The cat; naïve café…\n\tend",
    "arabic": "مرحبا بالعالم",
    "hebrew": "שָׁלוֹם עולם",
    "cjk": "你好，世界。日本語",
    "emoji": "🙂👩‍👩‍👧‍👦🇫🇮",
    "controls": "a\r\nb\u200f\u00a0c\x0b",
}
in_every_script = pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)


def joined_bytes(tokenizer, text):
    vocabulary = token_bytes(tokenizer)
    return b"".join(vocabulary[i] for i in tokenizer(text, add_special_tokens=False)["input_ids"])


@in_every_script
def test_the_bytes_of_byte_level_tokens_join_to_those_of_the_text(byte_tokenizer, text):
    assert joined_bytes(byte_tokenizer, text) == text.encode()


@in_every_script
def test_the_bytes_of_sentencepiece_tokens_join_to_those_of_the_text(shared_data, text):
    tokenizer = AutoTokenizer.from_pretrained(shared_data / "lm-stories260k")
    # This family puts a blank before a text.
    assert joined_bytes(tokenizer, text) == b" " + text.encode()


@in_every_script
def test_the_bytes_of_a_text_survive_being_cut_inside_its_characters(shared_data, text):
    tokenizer = AutoTokenizer.from_pretrained(shared_data / "lm-stories260k")
    contexts = cut([text], tokenizer, 8)
    vocabulary = token_bytes(tokenizer)
    kept = contexts.tokens[contexts.counted]
    assert b"".join(vocabulary[token] for token in kept) == b" " + text.encode()


def test_every_token_has_bytes_and_special_ones_those_of_their_name(byte_tokenizer):
    vocabulary = token_bytes(byte_tokenizer)
    assert len(vocabulary) == len(byte_tokenizer)
    assert vocabulary[byte_tokenizer.bos_token_id] == START.encode()
    single = {piece for piece in vocabulary if len(piece) == 1}
    assert single == {bytes([value]) for value in range(256)}


def test_a_byte_piece_is_its_byte_and_only_a_byte_piece_is():
    letters = Letters(names=["<0xE2>", "<0xE2", "▁the", "<0x0A>x", None, "</s>"])
    letters.all_special_ids = [5]
    assert token_bytes(letters) == [b"\xe2", b"<0xE2", b" the", b"<0x0A>x", b"", b"</s>"]


# Files

LINES = ["one\ntwo", "שלום", "🙂 three"]


def write_jsonl(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def write_parquet(path, columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_and_json_lines_with_the_same_text_give_the_same_documents(tmp_path):
    texts = [*LINES, "", "after an empty one"]
    one = write_jsonl(tmp_path / "a.jsonl", texts)
    other = write_parquet(tmp_path / "a.parquet", {"n": list(range(5)), "text": texts})
    assert list(read_documents(one)) == list(read_documents(other)) == texts


@pytest.mark.parametrize("text", LINES)
def test_all_kinds_of_files_give_the_same_tokens(tmp_path, byte_tokenizer, text):
    (tmp_path / "a.txt").write_bytes(text.encode())
    files = [
        tmp_path / "a.txt",
        write_jsonl(tmp_path / "a.jsonl", [text]),
        write_parquet(tmp_path / "a.parquet", {"text": [text]}),
    ]
    cuts = [rows(cut(read_documents(path), byte_tokenizer, 5)) for path in files]
    assert cuts[0] == cuts[1] == cuts[2]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffText".encode())
    (tmp_path / "a.jsonl").write_bytes('\ufeff{"text": "Text"}\n'.encode())
    assert list(read_documents(tmp_path / "a.txt")) == ["Text"]
    assert list(read_documents(tmp_path / "a.jsonl")) == ["Text"]


def test_a_text_file_is_one_document_line_ends_and_blank_lines_included(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\r\n\r\ntwo\n")
    assert list(read_documents(tmp_path / "a.txt")) == ["one\r\n\r\ntwo\n"]


def test_blank_lines_between_json_lines_and_rows_without_text_are_no_error(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n\n  \n{"text": "b", "id": 1}')
    assert list(read_documents(tmp_path / "a.jsonl")) == ["a", "b"]
    path = write_parquet(tmp_path / "a.parquet", {"text": ["a", None, "b"]})
    assert [text for text in read_documents(path) if text] == ["a", "b"]


def test_an_ending_is_known_in_capitals_too(tmp_path):
    (tmp_path / "A.TXT").write_text("a")
    assert list(read_documents(tmp_path / "A.TXT")) == ["a"]


BAD_FILES = {
    "another ending": ("a.csv", b"text\nx", r"\.csv is not \.txt, \.jsonl or \.parquet"),
    "no ending": ("a", b"x", "no ending"),
    "latin-1": ("a.txt", "café".encode("latin-1"), "not UTF-8 at byte 3"),
    "utf-16": ("a.txt", "text".encode("utf-16"), "not UTF-8 at byte 0"),
    "an empty file": ("a.txt", b"", "no text"),
    "only a mark": ("a.txt", b"\xef\xbb\xbf", "no text"),
    "no lines": ("a.jsonl", b"\n\n", "no text"),
    "only empty texts": ("a.jsonl", b'{"text": ""}\n', "no text"),
    "latin-1 in a line": ("a.jsonl", b'{"text": "a"}\n{"text": "\xe9"}', "line 2: not UTF-8"),
    "half a surrogate pair": ("a.jsonl", b'{"text": "\\ud83d"}', "line 1: not UTF-8"),
    "not JSON": ("a.jsonl", b'{"text": "a"}\n{"text"', 'line 2: expected a JSON object with a "te'),
    "a list": ("a.jsonl", b'["text"]', "line 1: expected a JSON object"),
    "no text in it": ("a.jsonl", b'{"content": "a"}', "line 1: expected a JSON object"),
    "a text that is none": ("a.jsonl", b'{"text": 5}', "line 1: expected a JSON object"),
    "nested too deeply": ("a.jsonl", b'{"text": ' + b"[" * 200_000, "line 1: expected a JSON"),
    "no Parquet": ("a.parquet", b"PAR1 is how it starts", "not a readable Parquet file"),
    "an empty Parquet": ("a.parquet", b"", "not a readable Parquet file"),
}


@pytest.mark.parametrize("case", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path, case):
    name, content, reason = case
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=reason) as refusal:
        list(read_documents(path))
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"b\.txt: no such file"):
        list(read_documents(tmp_path / "b.txt"))
    with pytest.raises(CorpusError, match="no such file"):
        list(read_documents(tmp_path))


BAD_TABLES = {
    "no text column": ({"content": ["a"]}, r"no column \"text\"; it has \['content'\]"),
    "numbers": ({"text": [1, 2]}, 'column "text" holds int64; expected strings'),
    "bytes that are no text": (
        {"text": pyarrow.array([b"\xff\xfe"], pyarrow.binary()).view(pyarrow.string())},
        "not UTF-8",
    ),
    "no rows": ({"text": pyarrow.array([], pyarrow.string())}, "no text"),
    "only nulls": ({"text": pyarrow.array([None], pyarrow.string())}, "no text"),
}


@pytest.mark.parametrize("case", BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_bad_table_is_refused_in_one_line_that_names_it(tmp_path, case):
    columns, reason = case
    path = write_parquet(tmp_path / "a.parquet", columns)
    with pytest.raises(CorpusError, match=reason) as refusal:
        list(read_documents(path))
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


# The stored corpus


@pytest.fixture
def contexts(byte_tokenizer, text_file):
    return cut(read_documents(text_file), byte_tokenizer, 16)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_stored_corpus_reads_back_as_it_was(tmp_path, byte_tokenizer, text_file, contexts):
    stored = store_corpus(text_file, byte_tokenizer, contexts, tmp_path)
    again = StoredCorpus(stored.folder)
    for name in ("tokens", "lengths", "documents", "counted"):
        assert np.array_equal(getattr(again, name), getattr(contexts, name))
    assert again.vocabulary == token_bytes(byte_tokenizer)
    facts = again.facts
    assert (facts.n_contexts, facts.context_size) == contexts.tokens.shape
    assert facts.n_tokens == contexts.counted.sum()
    assert facts.n_positions == contexts.lengths.sum() == facts.n_tokens + facts.n_contexts
    assert (facts.name, facts.n_documents, facts.has_bos) == ("page.txt", 1, True)
    assert facts.special_ids == (byte_tokenizer.bos_token_id,)


def test_storing_twice_gives_the_same_folder_and_bytes(
    tmp_path, byte_tokenizer, text_file, contexts
):
    first = store_corpus(text_file, byte_tokenizer, contexts, tmp_path / "a")
    before = files_of(tmp_path / "a")
    assert store_corpus(text_file, byte_tokenizer, contexts, tmp_path / "a").folder == first.folder
    assert files_of(tmp_path / "a") == before
    store_corpus(text_file, byte_tokenizer, contexts, tmp_path / "b")
    assert files_of(tmp_path / "b") == before


def test_a_store_that_fails_leaves_nothing_behind(
    tmp_path, byte_tokenizer, text_file, contexts, monkeypatch
):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        store_corpus(text_file, byte_tokenizer, contexts, tmp_path)
    assert list((tmp_path / "corpora").iterdir()) == []
    monkeypatch.undo()
    assert store_corpus(text_file, byte_tokenizer, contexts, tmp_path).facts.n_contexts > 0


def test_a_folder_without_its_last_file_is_written_again(
    tmp_path, byte_tokenizer, text_file, contexts
):
    stored = store_corpus(text_file, byte_tokenizer, contexts, tmp_path)
    before = files_of(tmp_path)
    (stored.folder / "corpus.json").unlink()
    (stored.folder / "tokens.npy").write_bytes(b"cut short")
    store_corpus(text_file, byte_tokenizer, contexts, tmp_path)
    assert files_of(tmp_path) == before


def digest_of(tmp_path, texts, size=4, tokenizer=None):
    path = write_jsonl(tmp_path / "a.jsonl", texts)
    letters = tokenizer or Letters(pad=None)  # padded with the end token
    return store_corpus(path, letters, cut(texts, letters, size), tmp_path).facts.digest


def test_corpora_that_differ_in_anything_differ_in_digest(tmp_path):
    other_names = Letters(pad=None, names=[f"piece {number}" for number in range(40)])
    digests = [
        digest_of(tmp_path, ["abc"]),
        digest_of(tmp_path, ["abd"]),
        digest_of(tmp_path, ["abc"], size=5),
        digest_of(tmp_path, ["abc", "a"]),
        digest_of(tmp_path, ["a"]),
        digest_of(tmp_path, ["a!"]),  # the end token is written out, not padding
        digest_of(tmp_path, ["abc"], tokenizer=other_names),
    ]
    assert len(set(digests)) == len(digests)


def test_the_name_of_the_file_is_no_part_of_the_digest(tmp_path):
    letters = Letters()
    stored = [
        store_corpus(write_jsonl(tmp_path / name, ["abc"]), letters, cut(["abc"], letters, 4), to)
        for name, to in [("a.jsonl", tmp_path / "1"), ("b.jsonl", tmp_path / "2")]
    ]
    assert stored[0].facts.digest == stored[1].facts.digest


def test_a_tokenizer_without_any_special_token_pads_with_zero():
    plain = SimpleNamespace(pad_token_id=None, eos_token_id=None, bos_token_id=None)
    assert corpus._padding_id(plain) == 0
