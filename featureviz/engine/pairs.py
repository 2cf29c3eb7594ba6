"""Two latents by what they write: figures that relations keep for the strongest pairs only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from featureviz.engine.precompute import Bench

Row = npt.NDArray[np.float64]


def pair_weights(
    bench: Bench, latent: int, other: Bench, other_latent: int
) -> tuple[float | None, float | None]:
    """Cosine of the decoder rows of two latents, or ends, and Pearson of their logit weights.

    The cosine is none unless both are read at one hook point of one model; the correlation is
    none where one writes no logits linearly, or over another vocabulary. As engine/relations.py
    has them, pair by pair.
    """
    mine, theirs = _row(bench, latent), _row(other, other_latent)
    spaces = {(each.plan.model_digest, each.plan.hook) for each in (bench, other)}
    cosine = _cosine(_plain(mine), _plain(theirs)) if len(spaces) == 1 else None
    own, others = _logits(bench, mine), _logits(other, theirs)
    if own is None or others is None or own.shape != others.shape:
        return cosine, None
    return cosine, _cosine(own - own.mean(), others - others.mean())


def _row(bench: Bench, latent: int) -> Tensor:
    return bench.dictionary.W_dec[latent].detach()


def _logits(bench: Bench, row: Tensor) -> Row | None:
    """What one unit of a latent adds to every logit [d_vocab]."""
    writes = bench.subject.to_residual(bench.plan.hook)
    return None if writes is None else _plain(writes(row[None])[0]) @ _plain(bench.subject.W_U)


def _plain(tensor: Tensor) -> Row:
    return tensor.detach().cpu().double().numpy()


def _cosine(a: Row, b: Row) -> float | None:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return min(1.0, max(-1.0, float(a @ b) / length)) if length else None
