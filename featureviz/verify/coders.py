"""Dictionaries as other code reads them: SAELens its own, plain matrices the baselines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from sae_lens import SAE
from safetensors.torch import load_file
from torch import Tensor

_BASELINES = ("neurons", "pca", "ica", "random")


class Coder(Protocol):
    """What brute force needs of a dictionary."""

    @property
    def W_dec(self) -> Tensor:
        """Decoder rows [d_sae, d_in]."""

    def encode(self, x: Tensor) -> Tensor:
        """Activations of all latents, or of both ends of each, [..., d_sae]."""


@dataclass(frozen=True)
class Straight:
    """c = (x - mean) W, and every latent's two ends: 2i has c > 0, 2i + 1 has -c > 0."""

    W_enc: Tensor  # [d_in, d_sae]
    W_dec: Tensor  # [d_sae, d_in]
    mean: Tensor  # [d_in]

    def encode(self, x: Tensor) -> Tensor:
        """Activations [..., d_sae], none below 0."""
        return ((x - self.mean) @ self.W_enc).clamp_min(0)


def load_coder(folder: Path) -> Coder:
    """The dictionary in a folder."""
    config = json.loads((folder / "cfg.json").read_bytes())
    if config.get("architecture") not in _BASELINES:
        return SAE.load_from_disk(folder, device="cpu", dtype="float32")
    tensors = {name: each.float() for name, each in load_file(folder / _WEIGHTS).items()}
    basis = torch.eye(config["d_in"])
    W_enc, W_dec = tensors.get("W_enc", basis), tensors.get("W_dec", basis)
    if config["architecture"] != "neurons" or config.get("signed"):
        W_enc, W_dec = _opposed(W_enc.T).T, _opposed(W_dec)
    return Straight(W_enc, W_dec, tensors["b_dec"])


_WEIGHTS = "sae_weights.safetensors"


def _opposed(rows: Tensor) -> Tensor:
    """Each row, then its opposite."""
    both = torch.empty(2 * len(rows), rows.shape[1])
    both[::2], both[1::2] = rows, -rows
    return both
