"""A latent beside the neurons of its hook point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.schema import Dashboard
from featureviz.verify.findings import Finding, number
from featureviz.verify.truth import Truth

_CORRELATION = 1e-4


def alignment(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """The largest coordinates of the decoder row, each with its share of the L1 norm."""
    row = truth.W_dec[page.index]
    largest = np.sort(np.abs(row))[::-1]
    for rank, each in enumerate(page.neuron_alignment or ()):
        what = f"neuron_alignment[{rank}]"
        yield number(page.index, what, each.weight, float(row[each.neuron]), 1e-6)
        yield number(page.index, f"{what} by rank", abs(each.weight), float(largest[rank]), 1e-6)
        share = float(largest[rank] / largest.sum())
        yield number(page.index, f"{what}: share", each.share_of_l1, share, 1e-6)


def correlations(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """Pearson and cosine with the neurons listed, and that none goes with it more."""
    if not page.correlated_neurons:
        return
    pearson, cosine = _all(page.index, truth)
    best = np.sort(pearson)[::-1]
    for rank, each in enumerate(page.correlated_neurons):
        what = f"correlated_neurons[{rank}]"
        values = {"": pearson[each.neuron], " by rank": best[rank]}
        for name, value in values.items():
            yield number(page.index, what + name, each.pearson, float(value), _CORRELATION)
        again = float(cosine[each.neuron])
        yield number(page.index, f"{what}: cosine", each.cosine, again, _CORRELATION)


def _all(latent: int, truth: Truth) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pearson and cosine with every neuron; -inf where a series is constant."""
    f, sums = truth.column(latent), truth.neurons
    n, products = len(f), sums.cross[truth.latents.index(latent)]
    spread = np.sqrt(np.maximum(sums.squares / n - (sums.total / n) ** 2, 0)) * f.std()
    shared = products / n - f.mean() * sums.total / n
    length = np.sqrt(sums.squares) * np.linalg.norm(f)
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson, cosine = shared / spread, products / length
    return np.where(spread > 0, pearson, -np.inf), cosine
