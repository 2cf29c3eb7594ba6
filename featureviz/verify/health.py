"""A dictionary's health, from sums over the whole corpus and plain reruns of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from featureviz.dashboards.health import Health, Losses
from featureviz.verify.downstream import log_probabilities
from featureviz.verify.findings import Finding, count, number, relative
from featureviz.verify.truth import Truth

_EVERY = -1  # stands for no latent in particular
_NATS = 1e-4

Change = Callable[[Tensor], Tensor]


def health(page: Health, truth: Truth) -> Iterator[Finding]:
    """Sums over all tokens, counts over all latents, and the losses."""
    whole, n = truth.whole, len(truth.spots)
    mean = truth.neurons.total / n
    spread = float(truth.neurons.squares.sum() - n * (mean**2).sum())
    yield number(_EVERY, "health n_tokens", page.n_tokens, n)
    figures = {
        "l0": whole.active.sum() / n,
        "l1": whole.activation / n,
        "fvu": whole.error / spread,
        "cosine": whole.cosine / n,
        "norm_ratio": whole.ratio / n,
        "reconstruction_bias": whole.reconstructed / whole.product,
        "median_norm": float(np.median(np.linalg.norm(truth.W_dec, axis=1))),
    }
    for name, value in figures.items():
        shown = getattr(page, name)
        if shown is not None:
            yield relative(_EVERY, f"health {name}", shown, float(value))
    yield count(_EVERY, "health n_dead", page.n_dead, int((whole.active == 0).sum()))
    for name, share in (("n_above_hundredth", 0.01), ("n_above_tenth", 0.1)):
        above = int((whole.active > share * n).sum())
        yield count(_EVERY, f"health {name}", getattr(page, name), above)
    yield from _losses(page.losses, truth, torch.from_numpy(mean).float())


@torch.inference_mode()
def _losses(page: Losses, truth: Truth, mean: Tensor) -> Iterator[Finding]:
    dictionary = truth.dictionary
    ways: dict[str, Change] = {
        "clean": lambda x: x,
        "spliced": lambda x: dictionary.decode(dictionary.encode(x)),
        "zero": torch.zeros_like,
        "mean": mean.expand_as,
    }
    contexts = np.arange(page.n_contexts) * truth.plan.n_contexts // page.n_contexts
    sums = {name: np.zeros(2) for name in ways}
    for context in contexts.tolist():
        tokens = torch.from_numpy(truth.corpus.tokens[context].astype(np.int64))
        counted = torch.from_numpy(np.array(truth.corpus.counted[context]))
        found = {name: _at(truth, tokens, counted, way) for name, way in ways.items()}
        clean = found["clean"]
        for name, each in found.items():
            target = each.gather(1, tokens[1:][counted[1:]][:, None])
            kl = float((clean.exp() * (clean - each)).sum())
            sums[name] += np.array([-float(target.sum()), kl])
    for name, found_sums in sums.items():
        again, divergence = (found_sums / page.n_tokens).tolist()
        yield number(_EVERY, f"health loss {name}", getattr(page, name), again, _NATS)
        if name != "clean":
            shown = getattr(page, f"kl_{name}")
            yield number(_EVERY, f"health KL {name}", shown, divergence, _NATS)


def _at(truth: Truth, tokens: Tensor, counted: Tensor, way: Change) -> Tensor:
    """Log-probabilities of the counted predictions of one context [n, d_vocab]."""

    def change(value: Tensor) -> Tensor:
        flat = value.flatten(2).clone()
        flat[0, counted] = way(flat[0, counted])
        return flat.view(value.shape)

    return log_probabilities(truth, tokens, change)[:-1][counted[1:]]
