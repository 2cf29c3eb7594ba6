"""Text to contexts: documents are cut, never joined; what counts in statistics is marked."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.parquet

from featureviz.dashboards.corpora import CorpusFacts, StoredCorpus
from featureviz.engine import digests
from featureviz.engine.errors import CorpusError

_AT_ONCE = 256  # documents tokenised together


@dataclass(frozen=True, slots=True)
class Contexts:
    """Tokenised text, cut: one row a context."""

    tokens: npt.NDArray[np.int32]  # [n_contexts, n_ctx]; the tail of a document is padded
    lengths: npt.NDArray[np.int32]  # [n_contexts]; positions that are not padding
    documents: npt.NDArray[np.int32]  # [n_contexts]; the document each was cut from
    counted: npt.NDArray[np.bool_]  # [n_contexts, n_ctx]; False at special tokens and padding


def read_documents(path: Path) -> Iterator[str]:
    """The documents of a text file: a .txt is one, a .jsonl one a line, a Parquet one a row.

    Raises: CorpusError when the file is missing, of another kind, not UTF-8, or without text.
    """
    readers = {".txt": _read_txt, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    if not path.is_file():
        raise CorpusError(f"{path}: no such file. Give a .txt, .jsonl or .parquet file.")
    if path.suffix.lower() not in readers:
        raise CorpusError(f"{path}: {path.suffix or 'no ending'} is not .txt, .jsonl or .parquet.")
    empty = True
    for document in readers[path.suffix.lower()](path):
        empty = empty and not document
        yield document
    if empty:
        raise CorpusError(f"{path}: no text in it.")


def cut(
    documents: Iterable[str], tokenizer: Any, context_size: int, max_contexts: int | None = None
) -> Contexts:
    """Cut documents into contexts of `context_size` positions, a start token before each.

    Runs of n_ctx - 1 tokens behind the tokenizer's BOS (n_ctx when it has none); contexts never
    cross documents; the tail of a document is kept and padded. Raises: CorpusError when empty.
    """
    bos = tokenizer.bos_token_id
    rows = list(islice(_runs(documents, tokenizer, context_size - (bos is not None)), max_contexts))
    if not rows:
        raise CorpusError("the corpus holds no text: every document is empty.")
    start = [] if bos is None else [bos]
    pad = _padding_id(tokenizer)
    tokens = np.full((len(rows), context_size), pad, dtype=np.int32)
    for row, (_, run) in zip(tokens, rows, strict=True):
        row[: len(start) + len(run)] = start + run
    lengths = np.array([len(start) + len(run) for _, run in rows], dtype=np.int32)
    documents_of = np.array([document for document, _ in rows], dtype=np.int32)
    return Contexts(tokens, lengths, documents_of, _counted(tokens, lengths, tokenizer))


def store_corpus(
    path: Path, tokenizer: Any, contexts: Contexts, store: Path, d_vocab: int = 0
) -> StoredCorpus:
    """Write a corpus to its folder in the store, unless it stands there already.

    The stored vocabulary reaches to `d_vocab`: models often know more ids than their tokenizer.
    """
    pieces = token_bytes(tokenizer)
    vocabulary = msgspec.msgpack.encode(pieces + [b""] * (d_vocab - len(pieces)))
    facts = _facts(path, tokenizer, contexts, vocabulary)
    folder = store / "corpora" / facts.digest
    if (folder / "corpus.json").exists():
        return StoredCorpus(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        _write_corpus(part, facts, contexts, vocabulary)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return StoredCorpus(folder)


def token_bytes(tokenizer: Any) -> list[bytes]:
    """The bytes every token id stands for [d_vocab]; of a special token, those of its name.

    Knows the two families in use: byte-level BPE (GPT-2's alphabet) and SentencePiece pieces
    (▁ is a blank, <0xE2> a byte).
    """
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.all_special_ids)
    decode = _byte_level if _is_byte_level(tokenizer) else _sentencepiece
    return [
        (piece or "").encode() if index in special else decode(piece or "")
        for index, piece in enumerate(pieces)
    ]


def _runs(documents: Iterable[str], tokenizer: Any, length: int) -> Iterator[tuple[int, list[int]]]:
    for number, ids in enumerate(_tokenised(documents, tokenizer)):
        for start in range(0, len(ids), length):
            yield number, ids[start : start + length]


def _tokenised(documents: Iterable[str], tokenizer: Any) -> Iterator[list[int]]:
    remaining = iter(documents)
    while batch := list(islice(remaining, _AT_ONCE)):
        encoded = tokenizer(batch, add_special_tokens=False, verbose=False)
        yield from encoded["input_ids"]


def _counted(
    tokens: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32], tokenizer: Any
) -> npt.NDArray[np.bool_]:
    inside = np.arange(tokens.shape[1]) < lengths[:, None]
    special = np.isin(tokens, list(tokenizer.all_special_ids))
    return inside & ~special


def _padding_id(tokenizer: Any) -> int:
    candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, 0)
    return next(token for token in candidates if token is not None)


def _facts(path: Path, tokenizer: Any, contexts: Contexts, vocabulary: bytes) -> CorpusFacts:
    identity = digests.of_bytes(
        np.array(contexts.tokens.shape, np.int64).tobytes(),
        contexts.tokens.tobytes(),
        contexts.lengths.tobytes(),
        contexts.counted.tobytes(),
        contexts.documents.tobytes(),
        vocabulary,
    )
    return CorpusFacts(
        name=path.name,
        digest=identity,
        n_contexts=len(contexts.tokens),
        context_size=contexts.tokens.shape[1],
        n_documents=int(contexts.documents[-1]) + 1,
        n_tokens=int(contexts.counted.sum()),
        n_positions=int(contexts.lengths.sum()),
        has_bos=tokenizer.bos_token_id is not None,
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
        text_digest=digests.of_file(path),
    )


def _write_corpus(folder: Path, facts: CorpusFacts, contexts: Contexts, vocabulary: bytes) -> None:
    for name in ("tokens", "lengths", "documents", "counted"):
        np.save(folder / f"{name}.npy", getattr(contexts, name), allow_pickle=False)
    (folder / "vocabulary.msgpack").write_bytes(vocabulary)
    (folder / "corpus.json").write_bytes(msgspec.json.encode(facts))


def _read_txt(path: Path) -> Iterator[str]:
    try:
        yield path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}: not UTF-8 at byte {error.start:,}. Convert it, for example with "
            "iconv -f LATIN1 -t UTF-8."
        ) from error


def _read_jsonl(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _text_of(path, number, line)


def _text_of(path: Path, number: int, line: bytes) -> str:
    try:
        text = json.loads(line.decode("utf-8-sig"))["text"]
        if isinstance(text, str):
            text.encode()  # a lone surrogate is legal JSON and no text
            return text
    except UnicodeError as error:
        raise CorpusError(f"{path}, line {number}: not UTF-8 ({error}).") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise CorpusError(f'{path}, line {number}: expected a JSON object with a "text" string.')


def _read_parquet(path: Path) -> Iterator[str]:
    try:
        table = pyarrow.parquet.ParquetFile(path)
        if "text" not in table.schema_arrow.names:
            raise CorpusError(f'{path}: no column "text"; it has {table.schema_arrow.names}.')
        kind = table.schema_arrow.field("text").type
        if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
            raise CorpusError(f'{path}: column "text" holds {kind}; expected strings.')
        for batch in table.iter_batches(columns=["text"]):
            yield from (text or "" for text in batch.column(0).to_pylist())
    except UnicodeDecodeError as error:
        raise CorpusError(f'{path}: column "text" is not UTF-8 ({error.reason}).') from error
    except pyarrow.ArrowException as error:
        raise CorpusError(f"{path}: not a readable Parquet file ({error}).") from error


def _is_byte_level(tokenizer: Any) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and "ByteLevel" in str(backend.decoder)


def _gpt2_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes (Radford et al. 2019, encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + place): byte for place, byte in enumerate(moved)
    }


_ALPHABET = _gpt2_alphabet()


def _byte_level(piece: str) -> bytes:
    if all(character in _ALPHABET for character in piece):
        return bytes(_ALPHABET[character] for character in piece)
    return piece.encode()  # an added token, written as itself


def _sentencepiece(piece: str) -> bytes:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").encode()
