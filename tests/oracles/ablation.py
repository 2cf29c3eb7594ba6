"""Ablation by brute force: plain transformers, the whole model, one pair at a time.

A forward hook subtracts f_i d_i at every position; distributions in float64. It shares no code with
the engine and knows nothing of TransformerLens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """Effects on every token of a context [n_ctx], 0 on the first."""

    total: Array
    direct: Array
    kl: Array
    change: (
        Array  # p_ablated - p_clean, total [n_ctx, d_vocab]; row q: of the prediction of token q
    )


class Oracle:
    """A model, its layers, and what happens when something is taken out of it."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        gpt2 = hasattr(self.model, "transformer")
        self.layers = self.model.transformer.h if gpt2 else self.model.model.layers
        self.norm = self.model.transformer.ln_f if gpt2 else self.model.model.norm
        self.gpt2 = gpt2

    def expected(
        self, tokens: Tensor, hook: str, f: Tensor, direction: Tensor, write: Tensor
    ) -> Expected:
        """One latent out of one context [n_ctx]: f [n_ctx], direction [d_in], write [d_model]."""
        clean = self._log_probs(tokens, None, None)
        total = self._log_probs(tokens, self._place(hook), f[:, None] * direction)
        direct = self._log_probs(tokens, (self.norm, True), f[:, None] * write)
        moved = (clean.exp() * (clean - total)).sum(1)
        kl, change = np.zeros(len(tokens)), np.zeros(tuple(clean.shape))
        kl[1:], change[1:] = moved[:-1].numpy(), (total.exp() - clean.exp())[:-1].numpy()
        return Expected(_effect(clean, total, tokens), _effect(clean, direct, tokens), kl, change)

    def _place(self, hook: str) -> tuple[nn.Module, bool]:
        """(module, whether its input is changed, else its output)."""
        _, number, place = hook.split(".", 2)
        layer = self.layers[int(number)]
        if place == "mlp.hook_post":
            return (layer.mlp.c_proj if self.gpt2 else layer.mlp.down_proj), True
        attention = layer.attn if self.gpt2 else layer.self_attn
        return {
            "hook_resid_pre": (layer, True),
            "hook_resid_post": (layer, False),
            "hook_mlp_out": (layer.mlp, False),
            "hook_attn_out": (attention, False),
            "hook_resid_mid": (attention, False),  # the same sum, one term earlier
            "attn.hook_z": (attention.c_proj if self.gpt2 else attention.o_proj, True),
        }[place]

    @torch.no_grad()
    def _log_probs(
        self, tokens: Tensor, place: tuple[nn.Module, bool] | None, taken: Tensor | None
    ) -> Tensor:
        if place is None:
            return self.model(tokens[None]).logits[0].double().log_softmax(-1)
        module, at_input = place

        def before(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return (args[0] - taken, *args[1:])

        def after(_module: nn.Module, _args: object, out: Any) -> Any:
            return (out[0] - taken, *out[1:]) if isinstance(out, tuple) else out - taken

        handle = (
            module.register_forward_pre_hook(before)
            if at_input
            else module.register_forward_hook(after)
        )
        try:
            return self.model(tokens[None]).logits[0].double().log_softmax(-1)
        finally:
            handle.remove()


def _effect(clean: Tensor, ablated: Tensor, tokens: Tensor) -> Array:
    effect = np.zeros(len(tokens))
    for position in range(1, len(tokens)):
        target = int(tokens[position])
        effect[position] = float(clean[position - 1, target] - ablated[position - 1, target])
    return effect
