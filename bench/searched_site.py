"""The site that bench/search.py measures: run as a process of its own, prints one line of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import msgspec
import numpy as np
from django.conf import settings

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models need what is set up above
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from featureviz.annotate.models import Comment, Explanation, Tag  # noqa: E402
from featureviz.browse.search.written import reindex_written  # noqa: E402
from featureviz.catalog.models import Corpus, Dictionary, LanguageModel, Run  # noqa: E402
from featureviz.dashboards.corpora import CorpusFacts, StoredCorpus  # noqa: E402
from featureviz.dashboards.finding import TOKENS, Gathering  # noqa: E402
from featureviz.dashboards.words import CorpusWords  # noqa: E402

N_LATENTS, N_EXAMPLES, N_CONTEXTS, WIDTH, N_WORDS = 100_000, 70, 20_000, 128, 30_000
N_EXPLAINED, N_REQUESTS = 20_000, 240
_SEED = 0


def _words() -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    random = np.random.default_rng(_SEED)
    found = {"".join(random.choice(letters, random.integers(2, 9))) for _ in range(2 * N_WORDS)}
    return sorted(found)[:N_WORDS]


def _write_corpus(folder: Path, words: list[str]) -> StoredCorpus:
    """Words drawn as Zipf has it, a token each."""
    random = np.random.default_rng(_SEED)
    share = 1 / np.arange(1, N_WORDS + 1)
    ids = random.choice(N_WORDS, (N_CONTEXTS, WIDTH), p=share / share.sum()) + 1
    ids[:, 0] = 0
    folder.mkdir(parents=True)
    arrays = {
        "tokens": ids.astype(np.int32),
        "counted": ids > 0,
        "lengths": np.full(N_CONTEXTS, WIDTH, np.int32),
        "documents": np.arange(N_CONTEXTS, dtype=np.int32),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    vocabulary = [
        b"<s>",
        *(f" {word}".encode() for word in np.random.default_rng(1).permutation(words)),
    ]
    (folder / "vocabulary.msgpack").write_bytes(msgspec.msgpack.encode(vocabulary))
    n_tokens = N_CONTEXTS * (WIDTH - 1)
    facts = CorpusFacts("bench", folder.name, N_CONTEXTS, WIDTH, N_CONTEXTS, n_tokens,
                        n_tokens + N_CONTEXTS, True, (0,), "c" * 64)  # fmt: skip
    (folder / "corpus.json").write_bytes(msgspec.json.encode(facts))
    return StoredCorpus(folder)


def _gathered(corpus: StoredCorpus) -> Gathering:
    """What Gathering.add would have taken from as many dashboards; latents prefer some words."""
    random = np.random.default_rng(_SEED)
    gathering: Any = Gathering()
    n = N_LATENTS * N_EXAMPLES
    latents = np.repeat(np.arange(N_LATENTS), N_EXAMPLES)
    columns = (latents, random.integers(0, N_CONTEXTS, n), random.integers(1, WIDTH, n))
    for into, column in zip(gathering._examples, columns, strict=False):
        into.frombytes(column.astype(np.int32).tobytes())
    gathering._examples[3].frombytes(random.exponential(1, n).astype(np.float32).tobytes())
    sizes = dict(zip(TOKENS, (20, 10, 10), strict=True))
    for kind, (into, values, tokens) in gathering._tokens.items():
        n = N_LATENTS * sizes[kind]
        into.frombytes(np.repeat(np.arange(N_LATENTS), sizes[kind]).astype(np.int32).tobytes())
        values.frombytes(random.random(n).astype(np.float32).tobytes())
        drawn = corpus.tokens[random.integers(0, N_CONTEXTS, n), random.integers(1, WIDTH, n)]
        uniform = random.integers(1, N_WORDS + 1, n)
        tokens.frombytes(np.where(kind == "fires", drawn, uniform).astype(np.int32).tobytes())
    n_active = np.where(random.random(N_LATENTS) < 0.05, 0, random.integers(1, 10**5, N_LATENTS))
    top = random.exponential(2, N_LATENTS)
    density = n_active / corpus.facts.n_tokens
    gathering._facts = list(
        zip(
            n_active,
            np.full(N_LATENTS, corpus.facts.n_tokens),
            density,
            top,
            top / 3,
            np.zeros(N_LATENTS),
            np.full(N_LATENTS, N_EXAMPLES),
            strict=True,
        )
    )
    return gathering


def _queries(corpus: StoredCorpus) -> Iterator[tuple[str, str]]:
    """Kinds of search, each with a word that was not asked before, frequent and rare ones."""
    random = np.random.default_rng(_SEED)
    shapes = {
        "a word": "{0}",
        "two words": "{0} {1}",
        "words in a row": 'context:"{0} {1}"',
        "beginning": "{2}*",
        "token and density": "fires:{0} density:<0.5%",
        "promoted token": "promotes:{0} is:alive",
        "explanation": "explanation:{0} has:explanation",
        "numbers, sorted": "max:>3 density:0.01%..1%",
    }
    for number in range(N_REQUESTS):
        name = list(shapes)[number % len(shapes)]
        row = corpus.tokens[random.integers(0, N_CONTEXTS)]
        at = random.integers(1, WIDTH - 1)
        pair = [corpus.vocabulary[token].decode().strip() for token in row[at : at + 2]]
        yield name, shapes[name].format(*pair, pair[0][:2])


def _publish(corpus: StoredCorpus, words: list[str]) -> Any:
    model = LanguageModel.objects.create(
        name="m", source="m", digest="a", architecture="x", n_layers=1, d_model=1, d_vocab=N_WORDS
    )
    dictionary = Dictionary.objects.create(
        model=model, name="d", source="d", digest="b", hook="h", architecture="topk", d_in=1,
        d_sae=N_LATENTS,
    )  # fmt: skip
    row = Corpus.objects.create(
        digest=corpus.folder.name, name="bench", n_contexts=N_CONTEXTS, context_size=WIDTH,
        n_tokens=corpus.facts.n_tokens,
    )  # fmt: skip
    run = Run.objects.create(
        key="f" * 64, dictionary=dictionary, corpus=row, state="done", plan={"block_size": 256},
        published_at=timezone.now(),
    )  # fmt: skip
    random = np.random.default_rng(_SEED)
    author = User.objects.create(username="ada")
    share = 1 / np.arange(1, N_WORDS + 1)
    said = random.choice(words, (N_EXPLAINED, 8), p=share / share.sum())
    Explanation.objects.bulk_create(
        Explanation(dictionary=dictionary, index=int(index), text=" ".join(text), author=author,
                    is_pinned=True)
        for index, text in zip(random.permutation(N_LATENTS)[:N_EXPLAINED], said, strict=True)
    )  # fmt: skip
    _annotate(dictionary, author, said)
    reindex_written()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does within a minute
    return run


def _annotate(dictionary: Dictionary, author: User, texts: Any) -> None:
    """As many comments and tags as explanations, by the same words."""
    latents = np.random.default_rng(_SEED + 1).permutation(N_LATENTS)[: len(texts)].tolist()
    named = {"dictionary": dictionary, "author": author}
    Comment.objects.bulk_create(
        Comment(index=index, text=" ".join(text), **named)
        for index, text in zip(latents, texts, strict=True)
    )
    Tag.objects.bulk_create(
        Tag(index=index, name=text[0], **named) for index, text in zip(latents, texts, strict=True)
    )


def _measure() -> dict[str, Any]:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    call_command("migrate", verbosity=0)
    words = _words()
    corpus = _write_corpus(settings.FEATUREVIZ_STORE / "corpora" / ("e" * 64), words)
    start = time.perf_counter()
    CorpusWords.of(corpus)
    words_seconds = time.perf_counter() - start
    gathering = _gathered(corpus)
    run = _publish(corpus, words)
    start = time.perf_counter()
    gathering.write(run.folder, corpus)
    index_seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in (run.folder / "finding").iterdir())
    return {
        "seconds": _times(corpus),
        "words_seconds": round(words_seconds, 1),
        "index_seconds": round(index_seconds, 1),
        "index_mb": size / 1e6,
    }


def _times(corpus: StoredCorpus) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each page: by the clock, and of this process's own work."""
    client = Client()
    for query in ("warm", "fires:warm", "warm*", "is:alive", "promotes:a"):
        client.get("/search", {"q": query})
    found: dict[str, list[tuple[float, float]]] = {"all": []}
    for name, query in _queries(corpus):
        start = time.perf_counter(), time.process_time()
        reply = client.get("/search", {"q": query})
        spent = time.perf_counter() - start[0], time.process_time() - start[1]
        assert reply.status_code == 200
        found["all"].append(spent)
        found.setdefault(name, []).append(spent)
    return found


if __name__ == "__main__":
    print(json.dumps(_measure()))
