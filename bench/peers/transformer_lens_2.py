"""Our model for peers on TransformerLens 2, which finds a local folder under no name of its own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sae_lens import HookedSAETransformer
from transformer_lens import HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import AutoTokenizer, GPT2LMHeadModel, PreTrainedTokenizerFast

from bench.peers.meter import Case

UNPROCESSED = dict.fromkeys(
    ("fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases"), False
)


def load_model(folder: Path) -> Any:
    """A HookedSAETransformer of a GPT-2 folder, its weights as they are."""
    plain = GPT2LMHeadModel.from_pretrained(folder)
    config = HookedTransformerConfig(
        n_layers=plain.config.n_layer,
        d_model=plain.config.n_embd,
        n_heads=plain.config.n_head,
        d_head=plain.config.n_embd // plain.config.n_head,
        n_ctx=plain.config.n_positions,
        d_vocab=plain.config.vocab_size,
        act_fn=plain.config.activation_function,
        eps=plain.config.layer_norm_epsilon,
        normalization_type="LN",
        device="cpu",
    )
    with TemporaryDirectory() as name:
        # TransformerLens loads it anew from where it came, and transformers 4 knows no class of 5.
        PreTrainedTokenizerFast.from_pretrained(folder).save_pretrained(name)
        model = HookedSAETransformer(config, tokenizer=AutoTokenizer.from_pretrained(name))
    model.load_and_process_state_dict(convert_gpt2_weights(plain, config), **UNPROCESSED)
    return model.eval()


def check(case: Case, model: Any, sae: Any) -> None:
    """The subject is the one the others have. Raises: SystemExit."""

    @torch.inference_mode()
    def encode(tokens: Any) -> Any:
        reached = model.run_with_cache(torch.as_tensor(tokens), names_filter=case.hook)[1]
        return sae.encode(reached[case.hook])

    case.check(encode)
