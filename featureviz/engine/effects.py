"""What a latent does downstream."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from featureviz.dashboards.schema import Histogram, LogitWeights, TokenWeight
from featureviz.engine.sketches.histogram import even_histogram

_SHOWN = 10  # tokens at either end
_BINS = 50


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
    shown = min(_SHOWN, weights.shape[1])
    top = _entries(*weights.topk(shown, dim=1))
    bottom = _entries(*weights.topk(shown, dim=1, largest=False))
    rows = weights.double().cpu().numpy()
    return [
        LogitWeights(top=high, bottom=low, histogram=_histogram(row), steps=())
        for high, low, row in zip(top, bottom, rows, strict=True)
    ]


def _entries(values: Tensor, tokens: Tensor) -> list[tuple[TokenWeight, ...]]:
    return [
        tuple(TokenWeight(token, value) for token, value in zip(ids, weights, strict=True))
        for ids, weights in zip(tokens.tolist(), values.tolist(), strict=True)
    ]


def _histogram(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Histogram:
    low, high = float(row.min()), float(row.max())
    if low == high:
        return Histogram(edges=(low, high), counts=(len(row),))
    edges, counts = even_histogram(row, _BINS)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
