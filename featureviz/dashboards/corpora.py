"""A stored corpus: tokenised contexts, memory-mapped, and the bytes of every token.

Layout of the folder: `tokens.npy` int32 [n_contexts, n_ctx], `counted.npy` bool, the same shape
(False at BOS, padding and special tokens), `lengths.npy` int32 [n_contexts] (padding left out),
`documents.npy` int32 [n_contexts], `vocabulary.msgpack` (bytes of every id), `corpus.json`
(written last, so its existence means the corpus is whole).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from featureviz.dashboards.schema import Record


class CorpusFacts(Record, frozen=True):
    """What a corpus is; written beside its arrays."""

    name: str  # the file it came from
    digest: str  # of tokens and layout: the corpus's identity
    n_contexts: int
    context_size: int
    n_documents: int
    n_tokens: int  # counted positions
    n_positions: int  # counted or special, padding left out
    has_bos: bool  # position 0 of every context is the start token
    special_ids: tuple[int, ...]
    text_digest: str  # sha256 of the source file


@dataclass(frozen=True)
class StoredCorpus:
    """A corpus read from its folder."""

    folder: Path

    @cached_property
    def facts(self) -> CorpusFacts:
        """The corpus's own description."""
        return msgspec.json.decode((self.folder / "corpus.json").read_bytes(), type=CorpusFacts)

    @cached_property
    def tokens(self) -> npt.NDArray[np.int32]:
        """Token ids [n_contexts, n_ctx], memory-mapped."""
        return self._array("tokens")

    @cached_property
    def counted(self) -> npt.NDArray[np.bool_]:
        """Where statistics are taken [n_contexts, n_ctx], memory-mapped."""
        return self._array("counted")

    @cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Positions of each context that are not padding [n_contexts]."""
        return self._array("lengths")

    @cached_property
    def documents(self) -> npt.NDArray[np.int32]:
        """The document each context was cut from [n_contexts]."""
        return self._array("documents")

    @cached_property
    def vocabulary(self) -> list[bytes]:
        """The bytes each token id stands for; of a special token, those of its name."""
        content = (self.folder / "vocabulary.msgpack").read_bytes()
        return msgspec.msgpack.decode(content, type=list[bytes])

    def _array(self, name: str) -> Any:
        mapped = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return np.asarray(mapped)  # still mapped, but as quick to cut as any array
