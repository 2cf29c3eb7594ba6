"""A run without an engine: its bench writes real files, alike wherever and however often it works.

What may happen to it stands in the plan: `pause` seconds a context, and `full`, the path of a file
that, while it exists, makes the disk full for block 1.
"""

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

from featureviz.catalog import runs
from featureviz.catalog.models import Run
from featureviz.dashboards.corpora import CorpusFacts
from featureviz.dashboards.relations import Relations
from featureviz.dashboards.schema import Dashboard, Histogram, LogitWeights, TokenCount, TokenWeight
from featureviz.dashboards.store import write_atomically, write_pack
from tests.dashboards.corpus import write_corpus

VOCABULARY = [b"<s>", b" the", b"\0", b"\xd7", "א".encode()]

MODEL = runs.ModelFacts("A", "weights/A", "m" * 64, "Toy", n_layers=1, d_model=8, d_vocab=5)
DICTIONARY = runs.DictionaryFacts("0", "weights/A-0", "d" * 64, "topk", "blocks.0.hook_z", 8, 10)
CORPUS = CorpusFacts(
    name="demo.jsonl",
    digest="c" * 64,
    n_contexts=8,
    context_size=4,
    n_documents=1,
    n_tokens=24,
    n_positions=32,
    has_bos=True,
    special_ids=(0,),
    text_digest="t" * 64,
)
WORK = runs.RunFacts("k" * 64, {"block_size": 4, "pause": 0}, (3, 3, 2), (4, 4, 2), {})


def register(store: Path, *, model=MODEL, dictionary=DICTIONARY, corpus=CORPUS, work=WORK, **plan):
    """Register a toy run whose corpus is in the store."""
    write_corpus(store / "corpora" / corpus.digest, [[0, 1, 3, 4]] * 8, VOCABULARY)
    return runs.register(model, dictionary, corpus, replace(work, plan={**work.plan, **plan}))


@dataclass(frozen=True)
class ToyBench:
    """Where the jobs of a toy run are done."""

    run: Run

    def shard(self, number, report):
        for done in range(WORK.shards[number]):
            sleep(self.run.plan["pause"])
            report(done + 1)
        path = self.run.folder / "shards" / f"{number:05d}.safetensors"
        write_atomically(path, f"shard {number}".encode())

    def relate(self, other, number, report):
        first = number * self.run.block_size
        latents = range(first, first + WORK.blocks[number])
        for done in range(len(latents)):
            sleep(self.run.plan["pause"])
            report(done + 1)
        path = self.run.folder / "relations" / other.key / f"{number:05d}.pack"
        write_pack(path, [Relations(index, ()) for index in latents])

    def block(self, number, report):
        if number == 1 and Path(self.run.plan.get("full", "/nowhere")).exists():
            Path("/dev/full").write_text("no room for this")
        shards = sorted((self.run.folder / "shards").iterdir())
        assert len(shards) == len(WORK.shards), "a block was started before all shards were there"
        seed = hashlib.sha256(b"".join(path.read_bytes() for path in shards)).digest()[0]
        first = number * self.run.block_size
        latents = range(first, first + WORK.blocks[number])
        for done in range(len(latents)):
            sleep(self.run.plan["pause"])
            report(done + 1)
        path = self.run.folder / "blocks" / f"{number:05d}.pack"
        write_pack(path, [dashboard(index, seed) for index in latents])


@contextmanager
def open_bench(run):
    """The bench of a toy run."""
    yield ToyBench(run)


def dashboard(index: int, seed: int = 0) -> Dashboard:
    """Latent 0 is dead; the others fire, most often on token `index % 5`."""
    alive = index > 0
    nothing = Histogram((), ())
    weight = TokenWeight(index % 5, 0.5 + index)
    logits = LogitWeights((weight,), (weight,), nothing, ())
    return Dashboard(
        index=index,
        n_tokens=24,
        n_active=6 * alive,
        n_contexts=8,
        n_active_contexts=3 * alive,
        sum_activation=12.0 * alive + seed,
        sum_squared_activation=30.0 * alive,
        max_activation=4.0 * alive,
        decoder_norm=1.0,
        histogram=nothing,
        logits=logits if index != 3 else None,
        top=(),
        intervals=(),
        random=(),
        fires_on=(TokenCount(index % 5, 3, 4, 6.0), TokenCount(1, 2, 9, 3.0)) if alive else (),
    )
