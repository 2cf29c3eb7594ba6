"""Counts, sums, histogram and tokens of one latent, from all its activations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.schema import Dashboard
from featureviz.verify.findings import Finding, count, number, relative
from featureviz.verify.truth import Truth

_NEAR_AN_EDGE = 1e-5  # of the maximum: rounding may put such a value into the next bin


def statistics(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """Everything that is counted or summed over the corpus."""
    f = truth.column(page.index)
    active = f > 0
    yield number(page.index, "n_tokens", page.n_tokens, len(f))
    yield number(page.index, "n_contexts", page.n_contexts, truth.plan.n_contexts)
    yield count(page.index, "n_active", page.n_active, int(active.sum()))
    contexts = len(np.unique(truth.spots[active, 0]))
    yield count(page.index, "n_active_contexts", page.n_active_contexts, contexts)
    sums = {
        "sum_activation": f.sum(),
        "sum_squared_activation": (f**2).sum(),
        "max_activation": f.max(initial=0.0),
        "decoder_norm": np.linalg.norm(truth.W_dec[page.index]),
    }
    for name, value in sums.items():
        yield relative(page.index, name, getattr(page, name), float(value))


def histogram(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """The bins' counts, and those of the intervals; edges are equal shares of the maximum."""
    f = truth.column(page.index)
    edges = np.array(page.histogram.edges)
    if len(edges):
        share = np.abs(edges / edges[-1] - np.linspace(0, 1, len(edges))).max()
        yield number(page.index, "histogram.edges", float(share), 0.0, 1e-12)
        yield from _bins(page, "histogram", f, edges, page.histogram.counts)
    if page.intervals:
        weakest_first = page.intervals[::-1]
        ends = np.array([weakest_first[0].lower, *(interval.upper for interval in weakest_first)])
        counts = tuple(interval.n_active for interval in weakest_first)
        yield from _bins(page, "interval", f, ends, counts)


def _bins(
    page: Dashboard,
    what: str,
    f: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
    counts: tuple[int, ...],
) -> Iterator[Finding]:
    slack = _NEAR_AN_EDGE * page.max_activation
    positive = f[f > 0]
    for place, (lower, upper) in enumerate(pairwise(edges)):
        is_last = place == len(counts) - 1  # of the maximum, which may be rounded up
        inside = int(((positive > lower) & ((positive <= upper) | is_last)).sum())
        near = (np.abs(positive - lower) <= slack) | (np.abs(positive - upper) <= slack)
        doubtful = int(near.sum()) + (2 if place == 0 else 0)
        yield number(page.index, f"{what}.counts[{place}]", counts[place], inside, doubtful)


def tokens_fired_on(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """The listed tokens' counts and sums; that no token was left out that fires more often."""
    f = truth.column(page.index)
    active = f > 0
    fired = np.bincount(truth.tokens[active], minlength=truth.plan.d_vocab)
    base = np.bincount(truth.tokens, minlength=truth.plan.d_vocab)
    total = np.bincount(truth.tokens[active], weights=f[active], minlength=truth.plan.d_vocab)
    for row in page.fires_on:
        what = f"fires_on[{row.token}]"
        yield count(page.index, f"{what}.n_active", row.n_active, int(fired[row.token]))
        yield number(page.index, f"{what}.n_tokens", row.n_tokens, int(base[row.token]))
        yield relative(page.index, f"{what}.total", row.total, float(total[row.token]), 1e-3)
    listed = [row.token for row in page.fires_on]
    if listed:
        least = min(row.n_active for row in page.fires_on)
        left_out = int(np.delete(fired, listed).max(initial=0))
        yield number(page.index, "fires_on, most of the rest", min(least, left_out), left_out, 2)
