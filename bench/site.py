"""A full site of invented latents, to measure pages on: `python -m bench.site FOLDER [LATENTS]`.

Deterministic: a few hundred dashboards as full as they get (every group of examples, effects, both
forms of logit weights) are drawn from one seed and used again and again under other numbers. The
packs are written once; a second call fills another database (DATABASE_URL) from the same packs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from featureviz.dashboards.corpora import CorpusFacts
from featureviz.dashboards.schema import (
    Dashboard,
    Example,
    Histogram,
    Interval,
    LogitWeights,
    TokenCount,
    TokenEffect,
    TokenWeight,
)
from featureviz.dashboards.store import write_atomically, write_pack

MODEL, DICTIONARY = "bench", "full"
N_LATENTS = 100_000
N_BASES = 256
EXPLAINED = 5  # every so many latents
_SEED = 0
_BLOCK = 1024
_N_CONTEXTS, _N_CTX, _D_VOCAB = 4000, 128, 8192
_KEY = "be" * 32
_CORPUS = "bc" * 32
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sta", "ve", "wi", "zon")
_SCRIPTS = ("کتاب", "מחר", "быть", "自由", "λόγος", "शब्द")


def main(arguments: list[str]) -> int:
    """Build the site, or what is missing of it."""
    folder = Path(arguments[0])
    n_latents = int(arguments[1]) if len(arguments) > 1 else N_LATENTS
    os.environ["FEATUREVIZ_DATA"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "featureviz.settings"
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder / "store", n_latents)
    fill_database(n_latents)
    return 0


def write_files(store: Path, n_latents: int) -> None:
    """The corpus and the packs, those that are not there."""
    corpus = store / "corpora" / _CORPUS
    if not (corpus / "corpus.json").exists():
        write_corpus(corpus)
    run = store / "runs" / _KEY
    missing = [start for start in range(0, n_latents, _BLOCK) if not _pack(run, start).exists()]
    bases = [base(number) for number in range(N_BASES)] if missing else []
    for start in missing:
        latents = range(start, min(start + _BLOCK, n_latents))
        write_pack(_pack(run, start), [variant(bases[i % N_BASES], i) for i in latents])
    write_atomically(run / "shards" / "00000.safetensors", b"")  # nothing reads it here


def fill_database(n_latents: int) -> None:
    """Tables and rows, by the way every run is published."""
    import django  # noqa: PLC0415 - settings are read when it starts

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from featureviz.catalog import runs  # noqa: PLC0415
    from featureviz.catalog.models import Run  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    if Run.objects.filter(key=_KEY, published_at__isnull=False).exists():
        return
    sizes = [min(_BLOCK, n_latents - start) for start in range(0, n_latents, _BLOCK)]
    plan = {"block_size": _BLOCK, "seed": _SEED}
    run = runs.register(
        runs.ModelFacts(MODEL, MODEL, "0" * 64, "Invented", 2, 256, _D_VOCAB),
        runs.DictionaryFacts(
            DICTIONARY, DICTIONARY, "1" * 64, "standard", "blocks.1.hook_resid_pre", 256, n_latents
        ),
        _facts(),
        runs.RunFacts(_KEY, plan, (_N_CONTEXTS,), tuple(sizes), {"dtype": "float32"}),
    )
    assert runs.publish(run), "a pack is missing"
    explain(run.dictionary_id, n_latents)


def explain(dictionary: int, n_latents: int) -> None:
    """A pinned explanation of every fifth latent, signed by a model."""
    from django.db import connection  # noqa: PLC0415

    from featureviz.annotate.models import Explanation  # noqa: PLC0415
    from featureviz.browse.search.written import reindex_written  # noqa: PLC0415

    words = vocabulary()
    Explanation.objects.bulk_create(
        (
            Explanation(
                dictionary_id=dictionary,
                index=index,
                text=f"{words[1 + index % 8000].decode().strip()} before a number, case {index}",
                model_name="bench",
                is_pinned=True,
            )
            for index in range(0, n_latents, EXPLAINED)
        ),
        batch_size=1000,
    )
    reindex_written()
    if connection.vendor == "postgresql":  # as its own upkeep does within a minute
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def write_corpus(folder: Path) -> None:
    """Contexts full of words by a Zipf-like law."""
    draw = np.random.default_rng(_SEED)
    law = 1 / (np.arange(1, _D_VOCAB) + 2.7)
    shape = (_N_CONTEXTS, _N_CTX)
    tokens = draw.choice(np.arange(1, _D_VOCAB), size=shape, p=law / law.sum()).astype(np.int32)
    tokens[:, 0] = 0
    folder.mkdir(parents=True)
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "counted.npy", np.broadcast_to(np.arange(_N_CTX) > 0, shape))
    np.save(folder / "lengths.npy", np.full(_N_CONTEXTS, _N_CTX, np.int32))
    np.save(folder / "documents.npy", np.arange(_N_CONTEXTS, dtype=np.int32))
    write_atomically(folder / "vocabulary.msgpack", msgspec.msgpack.encode(vocabulary()))
    write_atomically(folder / "corpus.json", msgspec.json.encode(_facts()))


def vocabulary() -> list[bytes]:
    """Words of two to four syllables with their leading blank, some in other scripts."""
    draw = np.random.default_rng(_SEED)
    words = ["<s>"]
    while len(words) < _D_VOCAB:
        chosen = draw.choice(_SYLLABLES, size=int(draw.integers(1, 4)))
        word = " " * int(draw.random() < 0.7) + "".join(chosen)
        words.append(f" {draw.choice(_SCRIPTS)}" if draw.random() < 0.03 else word)
    return [word.encode() for word in words]


def base(number: int) -> Dashboard:
    """A dashboard with all that a page can show of examples, effects and logits."""
    draw = np.random.default_rng((_SEED, number))
    top = float(np.float32(draw.lognormal(1, 0.5)))
    share = draw.choice(
        [0.01, 0.02, 0.05, 0.2], p=[0.4, 0.3, 0.2, 0.1]
    )  # of a context's tokens that are active
    edges = tuple(top * edge / 50 for edge in range(51))
    counts = tuple(int(count) for count in draw.poisson(2000 * np.exp(-np.arange(50) / 9)))
    n_active = sum(counts)
    middles = (np.array(edges[:-1]) + np.array(edges[1:])) / 2
    contexts = iter(draw.permutation(_N_CONTEXTS).tolist())
    return Dashboard(
        index=number,
        n_tokens=_N_CONTEXTS * (_N_CTX - 1),
        n_active=n_active,
        n_contexts=_N_CONTEXTS,
        n_active_contexts=min(_N_CONTEXTS, n_active // 2),
        sum_activation=float(np.dot(middles, counts)),
        sum_squared_activation=float(np.dot(middles**2, counts)),
        max_activation=top,
        decoder_norm=float(draw.uniform(0.8, 1.2)),
        histogram=Histogram(edges, counts),
        logits=_logits(draw),
        top=_examples(draw, contexts, 20, top, share),
        intervals=tuple(
            Interval(lower, upper, 10 + rank, _examples(draw, contexts, 5, upper, share))
            for rank, (lower, upper) in enumerate(
                (top * (10 - rank - 1) / 10, top * (10 - rank) / 10) for rank in range(10)
            )
        ),
        random=_examples(draw, contexts, 10, top / 2, share),
        fires_on=_fires_on(draw, n_active),
        effect_threshold=0.1,
        logits_normalised=_logits(draw),
        silent=tuple(Example(next(contexts), 64, 0.0, (), ()) for _ in range(10)),
    )


def variant(model: Dashboard, index: int) -> Dashboard:
    """The same examples under another latent's numbers; one in a hundred never fired."""
    draw = np.random.default_rng((_SEED, 1, index))
    if index % 100 == 99:
        return _dead(model, index)
    n_active = max(11, int(model.n_tokens * 10 ** draw.uniform(-5, -1)))
    mean = model.mean_activation * draw.uniform(0.5, 1)
    square = mean**2 * (1 + draw.uniform(0.1, 2) ** 2)
    return msgspec.structs.replace(
        model,
        index=index,
        n_active=n_active,
        n_active_contexts=min(model.n_contexts, 1 + n_active // 2),
        sum_activation=mean * n_active,
        sum_squared_activation=square * n_active,
        max_activation=model.max_activation * float(draw.uniform(1, 1.2)),
        decoder_norm=float(draw.uniform(0.8, 1.2)),
    )


def _dead(model: Dashboard, index: int) -> Dashboard:
    nothing = Histogram((), ())
    return msgspec.structs.replace(
        model, index=index, n_active=0, n_active_contexts=0, sum_activation=0.0,
        sum_squared_activation=0.0, max_activation=0.0, histogram=nothing, top=(), intervals=(),
        random=(), fires_on=(), silent=(),
    )  # fmt: skip


def _examples(
    draw: np.random.Generator, contexts: Iterator[int], count: int, upper: float, share: float
) -> tuple[Example, ...]:
    """Distinct contexts with the peak in their middle, strongest first."""
    peaks = np.sort(draw.uniform(0.9 * upper, upper, count))[::-1]
    return tuple(_example(draw, next(contexts), float(peak), share) for peak in peaks)


def _example(draw: np.random.Generator, context: int, peak: float, share: float) -> Example:
    position = int(draw.integers(20, _N_CTX - 20))
    active = draw.random(_N_CTX) < share
    active[0], active[position] = False, True
    positions = np.flatnonzero(active)
    values = np.where(positions == position, peak, draw.uniform(0, peak, len(positions)))
    return Example(
        context=context,
        position=position,
        activation=peak,
        positions=tuple(positions.tolist()),
        activations=tuple(values.astype(np.float16).astype(float).tolist()),
        effects=tuple(_effect(draw, at) for at in (position + 1, position + 2, position + 5)),
    )


def _effect(draw: np.random.Generator, position: int) -> TokenEffect:
    total, direct = (float(np.float16(value)) for value in draw.normal(0, 0.5, 2))
    changed = _weights(draw, 4, 0.1)
    return TokenEffect(position, total, direct, abs(total) / 3, changed[:2], changed[2:])


def _logits(draw: np.random.Generator) -> LogitWeights:
    edges = tuple(np.linspace(-4, 4, 51).tolist())
    counts = tuple(
        int(count) for count in draw.poisson(400 * np.exp(-(np.linspace(-3, 3, 50) ** 2)))
    )
    best = sorted(_weights(draw, 10, 3.0), key=lambda weight: -weight.value)
    worst = [TokenWeight(weight.token, -weight.value) for weight in _weights(draw, 10, 3.0)]
    worst.sort(key=lambda weight: weight.value)
    return LogitWeights(tuple(best), tuple(worst), Histogram(edges, counts), ())


def _weights(draw: np.random.Generator, count: int, scale: float) -> tuple[TokenWeight, ...]:
    tokens = draw.choice(np.arange(1, _D_VOCAB), count, replace=False).tolist()
    values = (scale * (1 + draw.random(count)) / 2).astype(np.float16).astype(float).tolist()
    return tuple(TokenWeight(token, value) for token, value in zip(tokens, values, strict=True))


def _fires_on(draw: np.random.Generator, n_active: int) -> tuple[TokenCount, ...]:
    chosen = draw.choice(np.arange(1, 2000), 20, replace=False).tolist()
    counts = np.sort(draw.dirichlet(np.full(20, 0.3)) * n_active).astype(int)[::-1]
    return tuple(
        TokenCount(token, int(count) + 1, int(count) * 2 + 1, float(count) + 1.0)
        for token, count in zip(chosen, counts, strict=True)
    )


def _facts() -> CorpusFacts:
    n_tokens = _N_CONTEXTS * (_N_CTX - 1)
    return CorpusFacts(
        name="invented.jsonl",
        digest=_CORPUS,
        n_contexts=_N_CONTEXTS,
        context_size=_N_CTX,
        n_documents=_N_CONTEXTS,
        n_tokens=n_tokens,
        n_positions=n_tokens + _N_CONTEXTS,
        has_bos=True,
        special_ids=(0,),
        text_digest="2" * 64,
    )


def _pack(run: Path, start: int) -> Path:
    return run / "blocks" / f"{start // _BLOCK:05d}.pack"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
