"""Texts as vectors: a local encoder, averaged over a text's tokens, of unit length.

What sentence-transformers calls Transformer, Pooling(mean), Normalize. Weights come from
safetensors only; no code and nothing pickled is read from the folder, nothing from the network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from jaxtyping import Float32
from torch import Tensor

from featureviz.engine import digests
from featureviz.engine.errors import EmbeddingError

_IDENTITY_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")
_LONGEST = 512  # tokens of a text that are read, where the model takes so many
_AT_ONCE = 32  # texts


@dataclass(frozen=True)
class Encoder:
    """A loaded embedding model."""

    tokenizer: Any
    model: Any
    digest: str  # of its files: another digest, and no vector can be compared
    longest: int  # tokens; what follows is cut off

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """A vector of length 1 for each text; their products are cosines."""
        found = [
            self._embed(list(texts[start : start + _AT_ONCE]))
            for start in range(0, len(texts), _AT_ONCE)
        ]
        empty = torch.empty(0, self.model.config.hidden_size)
        return torch.cat([empty, *found]).numpy()

    def _embed(self, texts: list[str]) -> Tensor:
        read = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
        )
        states = self.model(**read).last_hidden_state
        mask = read["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(means, dim=1)


def load_encoder(folder: Path) -> Encoder:
    """The encoder in a folder, kept until its files change. Raises: EmbeddingError."""
    return _load(folder, digests.stamp(folder))


@lru_cache(maxsize=1)
def _load(folder: Path, _stamp: object) -> Encoder:
    _check(folder)
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
        model = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, **local
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise EmbeddingError(f"{folder} cannot be loaded as an embedding model: {first}") from error
    if tokenizer.pad_token is None:
        raise EmbeddingError(f"{folder}: its tokenizer has no padding token, so it is no encoder.")
    files = [path for pattern in _IDENTITY_FILES for path in folder.glob(pattern)]
    digest = digests.of_files(files)
    return Encoder(tokenizer, model.eval(), digest, _longest(folder, model, tokenizer))


def _check(folder: Path) -> None:
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise EmbeddingError(
            f"{folder} holds no config.json with weights in safetensors beside it; "
            "name the folder of an encoder as transformers saves one."
        )
    pooling = _json(folder / "1_Pooling" / "config.json")
    if not pooling.get("pooling_mode_mean_tokens", True):
        raise EmbeddingError(f"{folder} does not average over tokens; take a model that does.")


def _longest(folder: Path, model: Any, tokenizer: Any) -> int:
    said = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    positions = getattr(model.config, "max_position_embeddings", _LONGEST)
    return min(said or _LONGEST, positions, tokenizer.model_max_length, _LONGEST)


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
