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
from featureviz.engine.sketches.spread import spread

CENTRED = "centred over d_model"  # the steps of the second form, in words
FOLDED = "final norm's weight folded in"
SHIFTED = "median over the vocabulary at 0"
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
    return _summaries(directions @ W_U, (), from_median=False)


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
    return _summaries(directions @ W_U, (*steps, SHIFTED), from_median=True)


def with_logits(
    dashboards: Sequence[Dashboard],
    raw: Sequence[LogitWeights] | None,
    normalised: Sequence[LogitWeights] | None,
) -> list[Dashboard]:
    """The dashboards with their logit weights, in the forms there are."""
    nothing = [None] * len(dashboards)
    return [
        replace(dashboard, logits=first, logits_normalised=second)
        for dashboard, first, second in zip(
            dashboards, raw or nothing, normalised or nothing, strict=True
        )
    ]


def _summaries(
    weights: Float[Tensor, "n d_vocab"], steps: tuple[str, ...], *, from_median: bool
) -> list[LogitWeights]:
    """The ends and the distribution of the rows, less their medians where asked for."""
    rows = weights.float().cpu().numpy()
    found = spread(rows, min(_SHOWN, rows.shape[1]), _BINS, from_median=from_median)
    return [
        LogitWeights(top=high, bottom=low, histogram=_histogram(edges, counts), steps=steps)
        for high, low, edges, counts in zip(
            _entries(rows, found.top, found.shifts),
            _entries(rows, found.bottom, found.shifts),
            found.edges.tolist(),
            found.counts.tolist(),
            strict=True,
        )
    ]


def _entries(
    rows: npt.NDArray[np.float32], columns: npt.NDArray[np.int64], shifts: npt.NDArray[np.float64]
) -> list[tuple[TokenWeight, ...]]:
    n, k = columns.shape
    values = np.take_along_axis(rows, columns, axis=1).astype(np.float64) - shifts[:, None]
    found = tuple(map(TokenWeight, columns.reshape(-1).tolist(), values.reshape(-1).tolist()))
    return [found[row * k : (row + 1) * k] for row in range(n)]


def _histogram(edges: list[float], counts: list[int]) -> Histogram:
    if edges[0] == edges[-1]:
        return Histogram(edges=(edges[0], edges[-1]), counts=(counts[0],))
    return Histogram(edges=tuple(edges), counts=tuple(counts))
