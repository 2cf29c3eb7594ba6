"""What the precompute costs beside the forward pass and encoding it cannot avoid.

One thread, as each worker has on a machine that runs one a core: how well libraries share a matrix
between cores would otherwise be most of what is measured. The dictionary's health (losses with its
reconstruction in place: the whole model, four times, on 128 contexts) is a row of its own, for its
cost does not grow with the corpus.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import torch

from bench.rows import Row, ratio, seconds
from bench.subjects import Size, write_corpus, write_dictionary, write_model
from featureviz.engine.activations import rows_at_once
from featureviz.engine.device import found
from featureviz.engine.precompute import Bench, Prepared, Request, prepare
from featureviz.engine.relations import Relating
from featureviz.engine.subject import load_subject

_REPEATS = {4096: 3, 24_576: 2}
_CONTEXTS = 2048  # as peers were measured with; what is kept of a latent weighs less on more
_SIZES = {
    "standard 4096": Size(n_contexts=_CONTEXTS),
    "topk 4096": Size(architecture="topk", n_contexts=_CONTEXTS),
    "standard 24576": Size(d_sae=24_576, n_contexts=2 * _CONTEXTS),
    "topk 24576": Size(architecture="topk", d_sae=24_576, n_contexts=2 * _CONTEXTS),
}
_GPT_2 = Size(
    n_layers=12, d_model=768, d_vocab=50_257, d_sae=24_576, n_contexts=8 * _CONTEXTS,
    place="blocks.6.hook_resid_pre",
)  # fmt: skip
_ON_A_GPU = {
    "standard 24576 of a GPT-2": _GPT_2,
    "topk 24576 of a GPT-2": replace(_GPT_2, architecture="topk"),
}


def rows() -> Iterator[Row]:
    """Bookkeeping and whole dashboards against the bare forward pass and encoding.

    A model of GPT-2's size over 2 million tokens too, where there is a GPU.

    Each size in a process of its own, set as workers are: libraries start as many threads as they
    are allowed when they are loaded, and do not let go of them.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in [*_SIZES, *(_ON_A_GPU if found() == "cuda" else ())]:
        command = [sys.executable, "-m", "bench.engine", name]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
        yield from msgspec.json.decode(done.stdout.splitlines()[-1], type=list[Row])


def _ratios(name: str, bench: Bench, store: Path) -> Iterator[Row]:
    folder = store / "runs" / bench.plan.key
    sketch, alone, written, losses = [], [], [], []
    _warm(bench)
    for _ in range(_REPEATS[bench.plan.d_sae]):
        least = seconds(lambda: bare(bench))
        shutil.rmtree(folder)
        shards = seconds(lambda: _shards(bench))
        sketches = seconds(lambda: _sketches(bench))
        packs, related = seconds(lambda: _packs(bench)), seconds(lambda: relations(bench))
        sketch.append((shards + sketches, least))
        alone.append((shards + packs, least))
        written.append((shards + packs + related, least))
        losses.append((seconds(bench.health), least))
    tokens = bench.corpus.facts.n_tokens
    note = f"{tokens:,} tokens, bare {least:.1f} s"
    yield ratio(f"bookkeeping_ratio {name}", sketch, 1.15, note)
    yield ratio(f"dashboard_ratio {name}", written, 1.40, "windows, logits, relations, written")
    yield ratio(f"dashboard_ratio {name}, relations apart", alone, None, "which are jobs after it")
    yield ratio(f"health {name}", losses, None, "once a dictionary, 128 contexts")


def _warm(bench: Bench) -> None:
    """Compiled, loaded, files cached."""
    _shards(bench)
    bench.pack(0)
    Relating(bench, bench.plan).block(0, lambda _done: None)
    bench.health()


@contextmanager
def _prepared(size: Size) -> Iterator[tuple[Bench, Path]]:
    with TemporaryDirectory(prefix="featureviz-bench-") as name:
        folder = Path(name)
        prepared = prepare_size(folder, size)
        yield Bench(prepared.plan, folder / "store", found()), folder / "store"


def prepare_size(folder: Path, size: Size) -> Prepared:
    """Write model, dictionary and corpus of a size, and plan their run."""
    write_model(folder / "model", size)
    write_corpus(folder / "corpus.jsonl", size)
    sample = load_subject(str(folder / "model"), found()).activations(
        torch.randint(1, size.d_vocab, (32, size.n_ctx)), size.hook
    )
    write_dictionary(folder / "dictionary", size, sample.flatten(0, 1).cpu())
    request = Request(str(folder / "model"), str(folder / "dictionary"), folder / "corpus.jsonl")
    return prepare(replace(request, context_size=size.n_ctx), folder / "store", found())


@torch.inference_mode()
def bare(bench: Bench) -> None:
    """Forward to the hook and encode every counted position, in the engine's own shapes."""
    plan, corpus = bench.plan, bench.corpus
    for start in range(0, plan.n_contexts, plan.batch_size):
        tokens = np.asarray(corpus.tokens[start : start + plan.batch_size], np.int64)
        x = bench.subject.activations(torch.from_numpy(tokens), plan.hook).flatten(0, 1)
        size = rows_at_once(plan.d_sae, x.device)
        for at in range(0, len(x), size):
            bench.dictionary.codes(x[at : at + size])
    if bench.subject.device.type == "cuda":
        torch.cuda.synchronize()  # what was asked for is done


def _shards(bench: Bench) -> None:
    for number in range(bench.plan.n_shards):
        bench.shard(number)


def _sketches(bench: Bench) -> None:
    for number in range(bench.plan.n_blocks):
        bench.sketch(bench.plan.block_latents(number))


def _packs(bench: Bench) -> None:
    for number in range(bench.plan.n_blocks):
        bench.pack(number)


def relations(bench: Bench) -> None:
    """How the latents of the dictionary go together."""
    relating = Relating(bench, bench.plan)
    for number in range(bench.plan.n_blocks):
        relating.block(number, lambda _done: None)


def whole(bench: Bench) -> None:
    """A whole run: dashboards and the relations within the dictionary, written."""
    _shards(bench)
    _packs(bench)
    relations(bench)


def _measure(name: str) -> bytes:
    with _prepared((_SIZES | _ON_A_GPU)[name]) as (bench, store):
        return msgspec.json.encode(list(_ratios(name, bench, store)))


if __name__ == "__main__":
    print(_measure(sys.argv[1]).decode())
