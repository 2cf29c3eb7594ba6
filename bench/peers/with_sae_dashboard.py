"""SAEDashboard: its SaeVisRunner with the settings it comes with, and its HTML page."""

from __future__ import annotations

from typing import Any

import torch
from sae_dashboard.data_writing_fns import save_feature_centric_vis
from sae_dashboard.sae_vis_data import SaeVisConfig
from sae_dashboard.sae_vis_runner import SaeVisRunner
from sae_lens import SAE

from bench.peers.meter import Case, run
from bench.peers.transformer_lens_2 import check, load_model


def load(case: Case) -> tuple[Any, Any]:
    """Model and dictionary."""
    model = load_model(case.folder / "model")
    sae = SAE.load_from_disk(case.folder / "dictionary", dtype="float32")
    check(case, model, sae)
    return model, sae


def work(case: Case, subject: tuple[Any, Any]) -> None:
    """The first latents' dashboards, written."""
    model, sae = subject
    config = SaeVisConfig(hook_point=case.hook, features=list(range(case.n_latents)))
    tokens = torch.as_tensor(case.tokens)
    data = SaeVisRunner(config).run(encoder=sae, model=model, tokens=tokens)
    save_feature_centric_vis(sae_vis_data=data, filename=case.out / "dashboards.html")


if __name__ == "__main__":
    run(load, work, ["sae-dashboard", "torch", "transformer-lens", "sae-lens", "numpy"])
