"""Latents that go together: the pairs listed first, from all activations of both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from featureviz.dashboards.relations import Related, Relations
from featureviz.verify.findings import Finding, count, number
from featureviz.verify.truth import Truth

LISTED = 3  # verified of a latent: the strongest by correlation
_TOLERANCE = 1e-4

Row = npt.NDArray[np.float64]


def strongest(relations: Relations) -> list[Related]:
    """The entries that are verified."""
    return sorted(relations.related, key=lambda each: -(each.correlation or 0.0))[:LISTED]


def related(page: Relations, truth: Truth, other: Truth, name: str) -> Iterator[Finding]:
    """Every figure of the pairs verified; `other` holds the other latents' activations."""
    f = truth.column(page.index)
    for each in strongest(page):
        g = other.column(each.index)
        what = f"related {name}/{each.index}"
        both, either = int(((f > 0) & (g > 0)).sum()), max(1, int(((f > 0) | (g > 0)).sum()))
        yield count(page.index, f"{what}: n_both", each.n_both, both)
        yield number(page.index, f"{what}: jaccard", each.jaccard, both / either, 4 / either)
        if each.correlation is not None:
            again = float(np.corrcoef(f, g)[0, 1])
            yield number(page.index, f"{what}: correlation", each.correlation, again, _TOLERANCE)
        if each.cosine is not None:
            again = _cosine(truth.W_dec[page.index], other.W_dec[each.index])
            yield number(page.index, f"{what}: cosine", each.cosine, again, _TOLERANCE)
        if each.logit_correlation is not None:
            again = float(np.corrcoef(_logits(truth, page.index), _logits(other, each.index))[0, 1])
            shown = each.logit_correlation
            yield number(page.index, f"{what}: logit correlation", shown, again, _TOLERANCE)


def _cosine(one: Row, other: Row) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def _logits(truth: Truth, latent: int) -> Row:
    writes = truth.subject.to_residual(truth.plan.hook)
    assert writes is not None, "a logit-weight correlation where nothing is written"
    direction = torch.from_numpy(truth.W_dec[latent])[None].float()
    weights = writes(direction).double() @ truth.subject.W_U.double()
    return np.asarray(weights[0])
