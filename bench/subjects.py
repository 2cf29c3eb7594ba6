"""What is measured: random models and dictionaries of the sizes people run, with real sparsity."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

_SEED = 0


@dataclass(frozen=True)
class Size:
    """A model and a dictionary, on the residual stream before its last layer by default."""

    n_layers: int = 2
    d_model: int = 256
    d_vocab: int = 8192
    d_sae: int = 4096
    l0: int = 40
    architecture: str = "standard"
    n_contexts: int = 1024
    n_ctx: int = 128
    place: str | None = None  # another hook point

    @property
    def hook(self) -> str:
        """The hook point the dictionary reads."""
        return self.place or f"blocks.{self.n_layers - 1}.hook_resid_pre"

    @property
    def d_in(self) -> int:
        """What flows through it."""
        return self.d_model * (4 if self.hook.endswith("mlp.hook_post") else 1)


def write_model(folder: Path, size: Size) -> None:
    """A random GPT-2 of this size, with a tokenizer of as many words."""
    torch.manual_seed(_SEED)
    config = GPT2Config(
        n_layer=size.n_layers,
        n_embd=size.d_model,
        n_head=max(1, size.d_model // 64),
        vocab_size=size.d_vocab,
        n_positions=size.n_ctx,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    words = {f"w{token}": token for token in range(size.d_vocab)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="w0").save_pretrained(folder)


def write_corpus(path: Path, size: Size) -> None:
    """Documents of exactly one context each, words by a Zipf-like law."""
    draw = np.random.default_rng(_SEED)
    ranks = np.arange(1, size.d_vocab)
    law = 1 / (ranks + 2.7)
    shape = (size.n_contexts, size.n_ctx - 1)
    words = draw.choice(ranks, size=shape, p=law / law.sum())
    lines = (json.dumps({"text": " ".join(f"w{word}" for word in row)}) for row in words)
    path.write_text("\n".join(lines))


def write_dictionary(folder: Path, size: Size, sample: torch.Tensor) -> None:
    """A random dictionary whose latents fire at log-normal rates, `l0` at a time on `sample`.

    The bias of each latent is the quantile of its own pre-activations that its rate asks for.
    """
    torch.manual_seed(_SEED)
    directions = torch.nn.functional.normalize(torch.randn(size.d_sae, size.d_in), dim=1)
    tensors = {
        "W_enc": directions.T.contiguous(),
        "b_enc": torch.zeros(size.d_sae),
        "W_dec": directions,
        "b_dec": sample.mean(0),
    }
    if size.architecture == "standard":
        tensors["b_enc"] = _biases((sample - tensors["b_dec"]) @ tensors["W_enc"], size)
    folder.mkdir(parents=True)
    save_file(tensors, folder / "sae_weights.safetensors")
    config = {
        "architecture": size.architecture,
        "d_in": size.d_in,
        "d_sae": size.d_sae,
        "metadata": {"hook_name": size.hook, "context_size": size.n_ctx},
    }
    if size.architecture == "topk":
        config["k"] = size.l0
    (folder / "cfg.json").write_text(json.dumps(config))


def _biases(pre: torch.Tensor, size: Size) -> torch.Tensor:
    rates = torch.exp(torch.randn(size.d_sae))
    rates = (rates / rates.sum() * size.l0).clamp(max=0.5)
    ranked = pre.sort(dim=0, descending=True).values
    at = (rates * len(pre)).long().clamp(1, len(pre) - 1)
    return -ranked.gather(0, at[None])[0]
