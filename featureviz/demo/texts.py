"""The demo's corpus, from what every installation has.

Code: the standard library's sources and pydoc's topics. Catalogues: Django's compiled translations.
A code file is held out by the hash of its name, a catalogue sentence by the hash of its msgid, so
that it is held out in every language at once.
"""

import gettext
import importlib.util
import json
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256
from itertools import chain
from pathlib import Path
from pydoc_data.topics import topics
from typing import Literal

from featureviz.demo.scripts import main_script

Kind = Literal["code", "catalogues"]

HELD_OUT_CODE = 0.10  # share of files
HELD_OUT_MSGIDS = 0.15  # in all languages at once
# One language alone is written in Hebrew: with no more than the others, too few of its tokens would
# be held out to judge a latent by.
HELD_OUT_MSGIDS_OF = {"he": 0.4}
REPEATS = {"latin": 1, "cyrillic": 3, "hebrew": 40}  # in training
REPEATS_OF_OTHER_SCRIPTS = 8
PIECE = 2000  # characters of a held-out document cut from a code file
PARAGRAPHS = 900  # characters of a document joined from catalogue sentences
SENTENCES_A_PARAGRAPH = 5

# Tests repeat themselves, tables (encodings) and data (pydoc_data) are not prose or code, and the
# rest differs between installations.
_LEFT_OUT = {
    *("test", "tests", "idle_test", "idlelib", "lib2to3", "encodings", "pydoc_data", "distutils"),
    *("site-packages", "dist-packages", "ensurepip", "__pycache__"),
}


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the corpus."""

    id: str  # unique; says where the text is from
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One translated string of a catalogue; for language 'en', the msgid itself."""

    language: str  # Django's folder name, such as 'pt_BR'
    msgid: str  # without its context
    text: str


def held_out_documents() -> list[Document]:
    """The text every number on demo pages is computed on; any prefix is a fair mixture of it."""
    return by_hash(chain(_held_out_code(), catalogue_documents(_split_sentences()[1])))


def training_documents() -> list[Document]:
    """The training mixture: whole code files, and catalogues with rare scripts repeated.

    Each repeat joins a language's sentences in another order, so that less is learnt by heart.
    """
    files = (file for file in code_files() if not is_held_out_file(file[0]))
    code = (Document(name, "code", text) for name, text in files)
    sentences = _split_sentences()[0]
    repeats = range(max(REPEATS.values()))
    catalogues = (catalogue_documents(sentences, repeat) for repeat in repeats)
    return by_hash(chain(code, *catalogues))


def write_demo_corpus(path: Path) -> int:
    """Write the held-out documents as JSON lines {"id", "text"}; returns how many."""
    documents = held_out_documents()
    path.write_text(_json_lines(documents), encoding="utf-8")
    return len(documents)


def text_digest() -> str:
    """The sha256 of the file `write_demo_corpus` writes: which Python and Django it came from."""
    return sha256(_json_lines(held_out_documents()).encode()).hexdigest()


def _json_lines(documents: Iterable[Document]) -> str:
    lines = (json.dumps({"id": d.id, "text": d.text}, ensure_ascii=False) for d in documents)
    return "".join(f"{line}\n" for line in lines)


def by_hash(documents: Iterable[Document]) -> list[Document]:
    """Documents in an order that is always the same and mixes all they are from."""
    return sorted(documents, key=lambda document: (hashed("order", document.id), document.id))


def hashed(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone, the same on every machine."""
    digest = blake2b("\x00".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def is_held_out_file(name: str) -> bool:
    """Whether a code file (or pydoc topic) is kept from training."""
    return hashed("file", name) < HELD_OUT_CODE


def is_held_out_sentence(language: str, msgid: str) -> bool:
    """Whether a sentence is kept from training; if in one language with the usual share, in all."""
    return hashed("msgid", msgid) < HELD_OUT_MSGIDS_OF.get(language, HELD_OUT_MSGIDS)


def code_files() -> Iterator[tuple[str, str]]:
    """Name and text of the standard library's sources and of pydoc's topics, in name order."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if not _is_left_out(inside):
            yield f"stdlib/{inside.as_posix()}", path.read_text(encoding="utf-8", errors="replace")
    for topic, text in sorted(topics.items()):
        yield f"topic/{topic}", text


def _is_left_out(inside: Path) -> bool:
    platform = inside.parts[0].startswith(("_sysconfigdata", "config-"))
    return platform or not _LEFT_OUT.isdisjoint(inside.parts)


def _held_out_code() -> Iterator[Document]:
    for name, text in code_files():
        if is_held_out_file(name):
            for number, piece in enumerate(_pieces(text)):
                yield Document(f"{name}#{number}", "code", piece)


def _pieces(text: str) -> Iterator[str]:
    """Cut at line ends into pieces of about PIECE characters."""
    piece = ""
    for line in text.splitlines(keepends=True):
        if piece and len(piece) + len(line) > PIECE:
            yield piece
            piece = ""
        piece += line
    if piece.strip():
        yield piece


@lru_cache(maxsize=1)
def catalogue_sentences() -> tuple[Sentence, ...]:
    """Every translated string of Django's catalogues, a text once a language, in a fixed order."""
    found: dict[tuple[str, str], Sentence] = {}
    for path in _catalogue_paths():
        for msgid, text in _strings(path):
            for sentence in (Sentence(path.parts[-3], msgid, text), Sentence("en", msgid, msgid)):
                found.setdefault((sentence.language, sentence.text), sentence)
    return tuple(found[key] for key in sorted(found))


def _catalogue_paths() -> list[Path]:
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("Django is not installed; its catalogues are part of the text.")
    return sorted(Path(spec.origin).parent.rglob("LC_MESSAGES/*.mo"))


def _strings(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs of msgid and translation in one compiled catalogue; untranslated ones are left out."""
    with path.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    for key, text in sorted(catalogue.items(), key=str):
        msgid = (key[0] if isinstance(key, tuple) else key).rpartition("\x04")[2]
        if msgid and text.strip() and text != msgid:
            yield msgid, text


def _split_sentences() -> tuple[list[Sentence], list[Sentence]]:
    """Training and held-out sentences; no text is in both, even of two msgids or languages."""
    held_out, training = list[Sentence](), list[Sentence]()
    for sentence in catalogue_sentences():
        kept = is_held_out_sentence(sentence.language, sentence.msgid)
        (held_out if kept else training).append(sentence)
    texts = {s.text for s in held_out}
    return [s for s in training if s.text not in texts], held_out


def catalogue_documents(sentences: Iterable[Sentence], repeat: int = 0) -> Iterator[Document]:
    """Sentences joined into paragraphs of one language, in the repeat's own order.

    A language whose script is repeated fewer times gives nothing for higher repeats.
    """
    languages: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        languages.setdefault(sentence.language, []).append(sentence)
    for language, own in languages.items():
        script = main_script(" ".join(sentence.text for sentence in own))
        if repeat < REPEATS.get(script, REPEATS_OF_OTHER_SCRIPTS):
            own.sort(key=lambda s: (hashed(f"{repeat}", s.msgid), s.text))
            yield from _joined(f"catalogue/{language}/{repeat}", [s.text for s in own])


def _joined(name: str, texts: list[str]) -> Iterator[Document]:
    parts: list[str] = []
    number = 0
    for text in texts:
        # A newline after every sentence would make it the commonest thing said in each script.
        parts += [text, "\n\n" if len(parts) // 2 % SENTENCES_A_PARAGRAPH == 4 else " "]
        if sum(map(len, parts)) > PARAGRAPHS:
            yield Document(f"{name}#{number}", "catalogues", "".join(parts).rstrip())
            parts, number = [], number + 1
    if parts:
        yield Document(f"{name}#{number}", "catalogues", "".join(parts).rstrip())
