"""A plan: all that decides a run's bytes, frozen; its digest is the run's key."""

from __future__ import annotations

from typing import Literal

import msgspec

from featureviz import __version__
from featureviz.dashboards.schema import SCHEMA_VERSION
from featureviz.engine import digests
from featureviz.engine.sketches.walk import Sizes

_SHARD_POSITIONS = 1 << 16
_BATCH_POSITIONS = 1 << 12
_BLOCK_LATENTS = 256
_BLOCK_COUNTS = 1 << 24  # (latent, token) counts held at once, 16 bytes each
_SHARD_ENTRIES = 1 << 23  # activations gathered at once where nothing is sparse, 12 bytes each
_BLOCK_ENTRIES = 1 << 25  # activations read at once where nothing is sparse, 8 bytes each

Ablate = Literal["none", "top", "all"]  # groups of examples whose ablation effects are stored
Asked = Literal["none", "top", "all", "auto"]  # auto: as engine/ablation_cost.py decides

SIZES = Sizes(n_bins=50, n_intervals=10, n_top=20, n_per_interval=5, n_random=10)


class Sources(msgspec.Struct, frozen=True):
    """Where a run's inputs were found; moving them changes no byte of it."""

    model: str
    dictionary: str
    corpus: str


class Plan(msgspec.Struct, frozen=True):
    """One precompute over (model, dictionary, corpus, settings), cut into shards and blocks."""

    sources: Sources
    model_digest: str
    dictionary_digest: str
    corpus_digest: str
    hook: str
    n_contexts: int
    context_size: int
    d_sae: int  # latents; of a signed dictionary their ends
    d_vocab: int
    seed: int
    batch_size: int  # contexts in a forward pass
    shard_size: int  # contexts in a shard
    block_size: int  # latents in a block
    sizes: Sizes = SIZES
    ablate: Ablate = "none"
    ends: int = 1  # of a latent; 2: numbers 2i and 2i + 1 are the ends of latent i
    version: str = f"{__version__}/{SCHEMA_VERSION}"

    @property
    def key(self) -> str:
        """The run's identity: a digest of everything but where its inputs were found."""
        deciding = {name: value for name, value in self._builtins().items() if name != "sources"}
        return digests.of_bytes(msgspec.json.encode(deciding, order="sorted"))

    @property
    def n_shards(self) -> int:
        """Shards the contexts are cut into."""
        return -(-self.n_contexts // self.shard_size)

    @property
    def n_blocks(self) -> int:
        """Blocks the latents are cut into."""
        return -(-self.d_sae // self.block_size)

    def shard_contexts(self, shard: int) -> range:
        """The contexts of a shard."""
        first = shard * self.shard_size
        return range(first, min(first + self.shard_size, self.n_contexts))

    def block_latents(self, block: int) -> range:
        """The latents of a block; of a signed dictionary their ends, both of each."""
        first = block * self.block_size
        return range(first, min(first + self.block_size, self.d_sae))

    def as_json(self) -> dict[str, object]:
        """The plan as plain values; `from_json` reads it back."""
        return self._builtins()

    @classmethod
    def from_json(cls, plan: dict[str, object]) -> Plan:
        """Read a plan that `as_json` wrote."""
        return msgspec.convert(plan, cls)

    def _builtins(self) -> dict[str, object]:
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain


def batch_size(context_size: int) -> int:
    """Contexts in a forward pass: about 4,096 positions."""
    return max(1, _BATCH_POSITIONS // context_size)


def shard_size(context_size: int, most_active: int = 0) -> int:
    """Contexts in a shard: about 65,536 positions, in whole batches.

    Fewer where `most_active` latents, active on most tokens, would fill the memory.
    """
    size = batch_size(context_size)
    positions = min(_SHARD_POSITIONS, _SHARD_ENTRIES // max(1, most_active))
    return max(1, positions // (context_size * size)) * size


def block_size(d_vocab: int, n_dense: int = 0, ends: int = 1) -> int:
    """Latents, or ends, in a block: 256, both ends of each.

    Fewer where a large vocabulary, or `n_dense` activations of each, would fill the memory.
    """
    fitting = min(_BLOCK_COUNTS // d_vocab, _BLOCK_ENTRIES // max(1, n_dense), _BLOCK_LATENTS)
    return max(1, fitting // ends) * ends
