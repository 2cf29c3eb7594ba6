"""delphi: its LatentCache, all latents, written in its splits; no dashboard is made of them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModel

from bench.peers.meter import Case, run

Encode = Callable[[torch.Tensor], torch.Tensor]
Subject = tuple[Any, Encode, str]

_BATCH, _SPLITS = 32, 5  # delphi.config.CacheConfig's own


def load(case: Case) -> Subject:
    """Model and dictionary; the model ends at the hook, so that delphi runs no layer in vain."""
    layer = int(case.hook.split(".")[1])
    model = AutoModel.from_pretrained(case.folder / "model").eval()
    model.h = model.h[:layer]
    hook = f"h.{layer - 1}"  # its output is the residual stream before the next layer
    encode = _encoder(case.folder / "dictionary" / "sae_weights.safetensors")
    _check(case, model, encode, hook)
    return model, encode, hook


def work(case: Case, subject: Subject) -> None:
    """Every activation of every latent, written."""
    model, encode, hook = subject
    cache = _latent_cache()(model, {hook: encode}, batch_size=_BATCH)
    tokens = torch.as_tensor(case.tokens)
    cache.run(tokens.numel(), tokens)
    cache.save_splits(_SPLITS, case.out)


def _latent_cache() -> Any:
    """delphi.latents.cache without delphi/latents/__init__.py, which loads faiss and more.

    An empty package of that name stands in for it, and finds the real modules in its folder.
    """
    spec = importlib.util.find_spec("delphi")
    if spec is None or spec.origin is None:
        raise SystemExit("delphi is not installed")
    package = ModuleType("delphi.latents")
    package.__path__ = [str(Path(spec.origin).parent / "latents")]
    sys.modules["delphi.latents"] = package
    return import_module("delphi.latents.cache").LatentCache


def _encoder(weights: Path) -> Encode:
    tensors = load_file(weights)

    def encode(x: torch.Tensor) -> torch.Tensor:
        pre = (x - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]
        return pre.relu_()

    return encode


def _check(case: Case, model: Any, encode: Encode, hook: str) -> None:
    _latent_cache()
    collect = import_module("delphi.latents.collect_activations").collect_activations

    @torch.inference_mode()
    def through_delphi(tokens: Any) -> torch.Tensor:
        with collect(model, [hook]) as reached:
            model(torch.as_tensor(tokens))
            return encode(reached[hook])

    case.check(through_delphi)


if __name__ == "__main__":
    run(load, work, ["eai-delphi", "torch", "transformers", "numpy"])
