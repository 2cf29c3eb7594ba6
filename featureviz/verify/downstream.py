"""What a latent does downstream: logit weights, and ablation by plain reruns of the whole model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featureviz.dashboards.schema import Dashboard, Example, LogitWeights
from featureviz.verify.findings import Finding, number
from featureviz.verify.truth import Truth

_NATS = 2e-4  # an effect may be off by this much


def logit_weights(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """The raw product in float64: listed weights, their ranks, the histogram over all tokens."""
    if page.logits is None:
        return
    writes = truth.subject.to_residual(truth.plan.hook)
    assert writes is not None, "logit weights on a page whose hook writes nothing"
    direction = torch.from_numpy(truth.W_dec[page.index])[None].float()
    written, W_U = writes(direction).double(), truth.subject.W_U.double()
    yield from _compared(page.index, "logits", page.logits, (written @ W_U)[0].numpy())
    if page.logits_normalised is not None:
        weights = (_through_final_norm(truth, written) @ W_U)[0].numpy()
        weights -= np.median(weights)
        yield from _compared(page.index, "logits_normalised", page.logits_normalised, weights)


def _through_final_norm(truth: Truth, written: Tensor) -> Tensor:
    """What the model's own norm makes of a direction, the length it takes away given back."""
    module = truth.subject.final_norm
    if module is None:
        return written
    large = 1e3 * written.float() / written.float().norm()  # beside it an epsilon is nothing
    with torch.no_grad():
        turned = (module(large) - module(-large)).double() / 2  # a bias falls out
    kept = written - written.mean() if isinstance(module, torch.nn.LayerNorm) else written
    return turned * kept.square().mean().sqrt()


def _compared(
    latent: int, what: str, shown: LogitWeights, weights: npt.NDArray[np.float64]
) -> Iterator[Finding]:
    size = float(np.abs(weights).max())
    ranked = np.sort(weights)
    for end, rows, expected in (
        ("top", shown.top, ranked[::-1]),
        ("bottom", shown.bottom, ranked),
    ):
        for rank, row in enumerate(rows):
            name = f"{what}.{end}[{rank}]"
            yield number(latent, name, row.value, float(weights[row.token]), 1e-5 * size)
            yield number(latent, f"{name} by rank", row.value, float(expected[rank]), 1e-5 * size)
    edges = np.array(shown.histogram.edges)
    counts = np.histogram(weights, bins=edges)[0]
    slack = 1e-5 * size
    near = int((np.abs(weights[:, None] - edges[None]).min(axis=1) <= slack).sum())
    off = int(np.abs(counts - np.array(shown.histogram.counts)).sum())
    yield number(latent, f"{what}.histogram", off, 0, 2 * near)


def effects(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """Total effects and KL of the strongest examples: the latent taken out, the model run again."""
    for rank, example in enumerate(page.top[:3], 1):
        if example.effects is not None:
            yield from _effects_of(page, truth, example, f"top {rank}")


@torch.inference_mode()
def _effects_of(page: Dashboard, truth: Truth, example: Example, name: str) -> Iterator[Finding]:
    tokens = torch.from_numpy(truth.corpus.tokens[example.context].astype(np.int64))
    clean = _log_probabilities(truth, tokens, lambda x: x)
    ablated = _log_probabilities(truth, tokens, _without(truth, page.index))
    gained = (clean - ablated)[:-1].gather(1, tokens[1:, None])[:, 0].numpy()
    kl = (clean.exp() * (clean - ablated)).sum(1)[:-1].numpy()
    counted = np.asarray(truth.corpus.counted[example.context])
    stored = {effect.position: effect for effect in example.effects or ()}
    least = page.effect_threshold or 0.0
    for position in np.flatnonzero(counted[1:]) + 1:
        effect = stored.get(int(position))
        slack = _NATS if effect else least + _NATS  # what is left out is small
        where = f"{name}, effect at {position}"
        total, divergence = (effect.total, effect.kl) if effect else (0.0, 0.0)
        yield number(page.index, where, total, float(gained[position - 1]), slack)
        yield number(page.index, f"{where}: KL", divergence, float(kl[position - 1]), slack)


def _without(truth: Truth, latent: int) -> Callable[[Tensor], Tensor]:
    def change(x: Tensor) -> Tensor:
        flat = x.flatten(2)
        f = truth.dictionary.encode(flat.float())[..., latent]
        direction = truth.dictionary.W_dec[latent].float()
        return (flat - f[..., None] * direction).reshape(x.shape)

    return change


def _log_probabilities(truth: Truth, tokens: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Of one context [n_ctx, d_vocab], in float64."""

    def put(value: Tensor, hook: Any = None) -> Tensor:
        return change(value)

    logits = truth.subject.bridge.run_with_hooks(
        tokens[None], return_type="logits", fwd_hooks=[(truth.plan.hook, put)]
    )
    return logits[0].double().log_softmax(-1)
