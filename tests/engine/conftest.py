"""A tiny language model, a dictionary for it, and text: the fixtures of most engine tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from featureviz.engine.precompute import Request

HOOK = "blocks.1.hook_resid_pre"
START = "<|start|>"
TEXT = "\n".join(
    [
        "The cat sat on the mat and the dog ran over the hill.",
        "Once upon a time there was a small bird who could not sing.",
        "שלום עולם, مرحبا بالعالم, 你好世界 🙂🙃 — naïve café.",
    ]
    * 6
)


@pytest.fixture(scope="session")
def byte_tokenizer():
    """A byte-level BPE with a start token, as GPT-2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=[START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=START)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, byte_tokenizer):
    """A random two-layer GPT-2: 32 dimensions, 300 tokens, 64 positions."""
    return write_gpt2(tmp_path_factory.mktemp("models") / "tiny", byte_tokenizer)


def write_gpt2(folder: Path, tokenizer, seed: int = 0, **shape) -> Path:
    """Save a random GPT-2 with its tokenizer as a Hugging Face folder."""
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(seed)
    sizes = {"vocab_size": 300, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4} | shape
    config = GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, initializer_range=0.2)
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def dictionary_folder(tmp_path_factory):
    """A random ReLU dictionary of 96 latents on the residual stream; some latents never fire."""
    return write_standard(tmp_path_factory.mktemp("dictionaries") / "random")


def write_standard(folder: Path, d_in: int = 32, d_sae: int = 96, seed: int = 1, **cfg) -> Path:
    """Save a random ReLU dictionary as a SAELens folder."""
    generator = torch.Generator().manual_seed(seed)
    W_dec = torch.randn(d_sae, d_in, generator=generator)
    W_dec /= W_dec.norm(dim=1, keepdim=True)
    b_enc = -torch.rand(d_sae, generator=generator)
    b_enc[:4] = -1e3
    tensors = {"W_enc": W_dec.T.contiguous(), "b_enc": b_enc, "W_dec": W_dec}
    tensors["b_dec"] = torch.randn(d_in, generator=generator) / 10
    write_folder(folder, tensors, **{"d_in": d_in, "d_sae": d_sae, **cfg})
    return folder


def write_folder(folder: Path, tensors: dict[str, torch.Tensor], hook: str = HOOK, **cfg) -> Path:
    """Write tensors and configuration as SAELens does."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"sae_lens_version": "6.54.12", "hook_name": hook, "context_size": 16}
    standard = {"architecture": "standard", "normalize_activations": "none", "metadata": metadata}
    (folder / "cfg.json").write_text(json.dumps(standard | cfg))
    save_file(tensors, folder / "sae_weights.safetensors")
    return folder


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    """A page of text in several scripts."""
    path = tmp_path_factory.mktemp("texts") / "page.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def request_of(model_folder, dictionary_folder, text_file):
    """A request about the tiny model; keywords change parts of it."""

    def make(**changes) -> Request:
        asked = {
            "model": str(model_folder),
            "dictionary": str(dictionary_folder),
            "corpus": text_file,
        }
        return Request(**(asked | changes))

    return make
