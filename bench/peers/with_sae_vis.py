"""sae_vis: SaeVisData.create with the settings it comes with, and its HTML page."""

from __future__ import annotations

from typing import Any

import torch
from sae_lens import SAE, SAEConfig
from sae_vis.data_config_classes import SaeVisConfig
from sae_vis.data_storing_fns import SaeVisData
from safetensors.torch import load_file

from bench.peers.meter import Case, run
from bench.peers.transformer_lens_2 import check, load_model


def load(case: Case) -> tuple[Any, Any]:
    """Model and dictionary."""
    model = load_model(case.folder / "model")
    sae = _dictionary(case, model.cfg.n_ctx)
    check(case, model, sae)
    return model, sae


def work(case: Case, subject: tuple[Any, Any]) -> None:
    """The first latents' dashboards, written."""
    model, sae = subject
    config = SaeVisConfig(features=list(range(case.n_latents)))
    data = SaeVisData.create(sae=sae, model=model, tokens=torch.as_tensor(case.tokens), cfg=config)
    data.save_feature_centric_vis(str(case.out / "dashboards.html"))


def _dictionary(case: Case, n_ctx: int) -> Any:
    """Our dictionary as SAELens 5 wants it: its files of version 6 say less than it asks for."""
    tensors = load_file(case.folder / "dictionary" / "sae_weights.safetensors")
    d_sae, d_in = tensors["W_dec"].shape
    config = SAEConfig(
        architecture="standard",
        d_in=d_in,
        d_sae=d_sae,
        activation_fn_str="relu",
        apply_b_dec_to_input=True,
        finetuning_scaling_factor=False,
        context_size=n_ctx,
        model_name="gpt2",
        hook_name=case.hook,
        hook_layer=int(case.hook.split(".")[1]),
        hook_head_index=None,
        prepend_bos=True,
        dataset_path="",
        dataset_trust_remote_code=False,
        normalize_activations="none",
        dtype="float32",
        device="cpu",
        sae_lens_training_version=None,
    )
    sae = SAE(config)
    sae.load_state_dict(tensors)
    return sae


if __name__ == "__main__":
    run(load, work, ["sae-vis", "torch", "transformer-lens", "sae-lens", "numpy"])
