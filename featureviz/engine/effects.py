"""What a latent does downstream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from msgspec.structs import replace
from torch import Tensor

from featureviz.dashboards.schema import Dashboard, Histogram, LogitWeights, TokenWeight
from featureviz.engine.final_norm import FinalNorm
from featureviz.engine.sketches.histogram import even_histogram

CENTRED = "centred over d_model"  # the steps of the second form, in words
FOLDED = "final norm's weight folded in"
SHIFTED = "median over the vocabulary at 0"
_SHOWN = 10  # tokens at either end
_BINS = 50

Rows = npt.NDArray[np.float64]


@torch.inference_mode()
def logit_weights(
    directions: Float[Tensor, "n d_model"], W_U: Float[Tensor, "d_model d_vocab"]
) -> list[LogitWeights]:
    """What one unit of each latent adds to every token's logit along the direct path.

    Unit: logits per unit of activation, before the final norm's per-token scale; nothing is
    folded, centred or shifted (`steps` is empty). Source: Bricken et al. 2023, and sae_vis, whose
    tables hold the same product.
    """
    weights = directions @ W_U
    return _summaries(weights, weights.double().cpu().numpy(), np.zeros(len(weights)), ())


@torch.inference_mode()
def normalised_logit_weights(
    directions: Float[Tensor, "n d_model"], W_U: Float[Tensor, "d_model d_vocab"], norm: FinalNorm
) -> list[LogitWeights]:
    """The same product as the final norm lets it through, shifted to a median of 0.

    A LayerNorm removes the mean over d_model, its weight scales every dimension; what is added to
    all logits alike changes no probability, so the median token stands at 0. The norm's scale, one
    number a token, is not in it; nor is a cap on logits. Source: Bricken et al. 2023, whose pi, L
    and shift these are. `steps` names what was done, in order.
    """
    steps = []
    if norm.centres:
        directions = directions - directions.mean(1, keepdim=True)
        steps.append(CENTRED)
    if norm.weight is not None:
        directions = directions * norm.weight
        steps.append(FOLDED)
    weights = directions @ W_U
    rows = weights.double().cpu().numpy()
    medians = np.median(rows, axis=1)
    return _summaries(weights, rows - medians[:, None], medians, (*steps, SHIFTED))


def with_normalised(
    dashboards: Sequence[Dashboard],
    directions: Float[Tensor, "n d_model"],
    W_U: Float[Tensor, "d_model d_vocab"],
    norm: FinalNorm,
) -> list[Dashboard]:
    """The dashboards with their second form of logit weights."""
    weights = normalised_logit_weights(directions, W_U, norm)
    return [
        replace(dashboard, logits_normalised=own)
        for dashboard, own in zip(dashboards, weights, strict=True)
    ]


def _summaries(
    weights: Float[Tensor, "n d_vocab"], rows: Rows, shifts: Rows, steps: tuple[str, ...]
) -> list[LogitWeights]:
    """The ends and the distribution of `rows` [n, d_vocab], which are the weights less a shift."""
    shown = min(_SHOWN, weights.shape[1])
    top = _entries(*weights.topk(shown, dim=1), shifts)
    bottom = _entries(*weights.topk(shown, dim=1, largest=False), shifts)
    return [
        LogitWeights(top=high, bottom=low, histogram=_histogram(row), steps=steps)
        for high, low, row in zip(top, bottom, rows, strict=True)
    ]


def _entries(values: Tensor, tokens: Tensor, shifts: Rows) -> list[tuple[TokenWeight, ...]]:
    shifted = values.double().cpu().numpy() - shifts[:, None]
    return [
        tuple(TokenWeight(token, value) for token, value in zip(ids, weights, strict=True))
        for ids, weights in zip(tokens.tolist(), shifted.tolist(), strict=True)
    ]


def _histogram(row: Rows) -> Histogram:
    low, high = float(row.min()), float(row.max())
    if low == high:
        return Histogram(edges=(low, high), counts=(len(row),))
    edges, counts = even_histogram(row, _BINS)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
