"""The engine's sketches over activations given as one array, cut into shards at will."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from hypothesis import strategies as st

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard
from featureviz.engine.activations import nonzeros
from featureviz.engine.compose import Composer
from featureviz.engine.dictionaries.base import DenseCodes
from featureviz.engine.plan import SIZES
from featureviz.engine.sketches.walk import Ground, Sizes, sketch_block
from featureviz.engine.spool import Spool, by_latent, write_shard

D_VOCAB = 6


@dataclass(frozen=True)
class Case:
    """A corpus with the activations of all its latents."""

    activations: npt.NDArray[np.float32]  # [n_contexts, n_ctx, d_sae]
    counted: npt.NDArray[np.bool_]  # [n_contexts, n_ctx]
    tokens: npt.NDArray[np.int32]  # [n_contexts, n_ctx]

    @property
    def n_contexts(self) -> int:
        return self.activations.shape[0]

    @property
    def n_ctx(self) -> int:
        return self.activations.shape[1]

    @property
    def d_sae(self) -> int:
        return self.activations.shape[2]

    @property
    def corpus(self) -> StoredCorpus:
        facts = SimpleNamespace(
            context_size=self.n_ctx, n_contexts=self.n_contexts, n_tokens=int(self.counted.sum())
        )
        stored = SimpleNamespace(facts=facts, tokens=self.tokens, counted=self.counted)
        return cast("StoredCorpus", stored)


def case_of(activations: Any) -> Case:
    """All positions count; tokens repeat 0 1 2 …."""
    values = np.asarray(activations, np.float32)
    shape = values.shape[:2]
    tokens = (np.arange(shape[0] * shape[1]) % D_VOCAB).reshape(shape).astype(np.int32)
    return Case(values, np.ones(shape, bool), tokens)


@dataclass(frozen=True)
class Spooled:
    """The activations of a case on disk, shard by shard; can be walked over many times."""

    case: Case
    shard_size: int  # contexts in a shard
    paths: list[Path]

    @property
    def spool(self) -> Spool:
        return Spool(self.paths, self.shard_size * self.case.n_ctx)

    def dashboards(self, sizes: Sizes, seed: int, held: int = 1 << 22) -> list[Dashboard]:
        case = self.case
        latents = range(case.d_sae)
        sketch = sketch_block(self.spool, latents, Ground(case.tokens, D_VOCAB, seed), sizes, held)
        norms = [1.0] * case.d_sae
        return Composer(case.corpus, D_VOCAB).dashboards(latents, sketch, norms)


@contextmanager
def spooled(case: Case, shard_size: int | None = None) -> Iterator[Spooled]:
    """Write a case's shards of so many contexts; one shard if not said."""
    size = shard_size or case.n_contexts
    with tempfile.TemporaryDirectory() as folder:
        starts = range(0, case.n_contexts, size)
        paths = [Path(folder) / f"{number}.safetensors" for number in range(len(starts))]
        for path, first in zip(paths, starts, strict=True):
            _spool(case, first, first + size, path)
        yield Spooled(case, size, paths)


def dashboards(
    case: Case, sizes: Sizes = SIZES, *, seed: int = 0, shard_size: int | None = None
) -> list[Dashboard]:
    """Spool, walk and compose."""
    with spooled(case, shard_size) as shards:
        return shards.dashboards(sizes, seed)


def encoded(found: list[Dashboard]) -> list[bytes]:
    """The bytes of dashboards."""
    return [msgspec.msgpack.encode(dashboard) for dashboard in found]


def _spool(case: Case, first: int, end: int, path: Path) -> None:
    rows = torch.from_numpy(case.activations[first:end].reshape(-1, case.d_sae).copy())
    places = np.flatnonzero(case.counted[first:end]).astype(np.uint32)
    codes = DenseCodes(rows[torch.from_numpy(places.astype(np.int64))])
    write_shard(path, by_latent(nonzeros(codes, places), case.d_sae))


# What activations look like: each draws the values of a whole corpus from one family.
_STEPS = st.integers(0, 50).map(float)  # ties, and values on the edges of a maximum of 50
_FLOAT16 = st.floats(0, 60000, width=16)
_BFLOAT16 = st.floats(0, 2.0**60, width=32).map(
    lambda value: float(torch.tensor(value).bfloat16().float())
)
_MAGNITUDES = st.integers(-5, 5).flatmap(
    lambda power: st.floats(1, 9.5, width=16).map(lambda digits: digits * 10.0**power)
)
_SPARSE = st.one_of(st.just(0.0), st.just(0.0), st.floats(0.0625, 4, width=32))
_SIGNED = st.floats(-3, 3, width=16)
FAMILIES = {
    "ties and edges": _STEPS,
    "rounded to float16": _FLOAT16,
    "rounded to bfloat16": _BFLOAT16,
    "ten orders of magnitude": _MAGNITUDES,
    "mostly silent": _SPARSE,
    "signed pre-activations": _SIGNED,
    "one value": st.just(1.5),
    "always silent": st.sampled_from([0.0, -0.0, -1.0]),
}


@st.composite
def cases(draw: st.DrawFn, max_contexts: int = 12) -> Case:
    """Small corpora; each latent's activations come from a family of their own."""
    n_contexts = draw(st.integers(1, max_contexts))
    n_ctx = draw(st.integers(1, 4))
    d_sae = draw(st.integers(1, 3))
    spots = n_contexts * n_ctx
    families = [draw(st.sampled_from(sorted(FAMILIES))) for _ in range(d_sae)]
    columns = [
        draw(st.lists(FAMILIES[family], min_size=spots, max_size=spots)) for family in families
    ]
    shape = (n_contexts, n_ctx)
    activations = np.array(columns, np.float32).T.reshape(*shape, d_sae)
    tokens = draw(st.lists(st.integers(0, D_VOCAB - 1), min_size=spots, max_size=spots))
    counted = draw(
        st.one_of(st.just([True] * spots), st.lists(st.booleans(), min_size=spots, max_size=spots))
    )
    return Case(
        activations, np.array(counted).reshape(shape), np.array(tokens, np.int32).reshape(shape)
    )


ALL_SIZES = st.sampled_from([SIZES, Sizes(6, 3, 2, 1, 2), Sizes(20, 10, 4, 2, 1)])
