"""Ours: every latent, from loaded weights to written dashboards, as `manage.py precompute` does."""

from __future__ import annotations

import torch

from bench.engine import whole
from bench.peers.meter import Case, run
from featureviz.engine.precompute import Bench, Request, prepare


def load(case: Case) -> Bench:
    """Plan, model, dictionary and stored corpus."""
    request = Request(
        str(case.folder / "model"),
        str(case.folder / "dictionary"),
        case.folder / "corpus.jsonl",
        max_contexts=case.n_contexts,
    )
    store = case.out / "store"
    bench = Bench(prepare(request, store).plan, store)
    if bench.plan.d_sae != case.n_latents or (bench.corpus.tokens != case.tokens).any():
        raise SystemExit("featureviz makes all latents of the dictionary, on the same tokens")

    def encode(tokens: torch.Tensor) -> torch.Tensor:
        x = bench.subject.activations(torch.as_tensor(tokens), case.hook)
        return bench.dictionary.codes(x.flatten(0, 1)).dense().view(*x.shape[:2], -1)

    case.check(encode)
    return bench


def work(_case: Case, bench: Bench) -> None:
    """Both steps of a run."""
    whole(bench)


if __name__ == "__main__":
    run(load, work, ["torch", "transformer_lens", "numpy", "numba"])
