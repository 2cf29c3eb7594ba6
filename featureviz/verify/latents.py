"""All checks of a dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from featureviz.dashboards.schema import Dashboard
from featureviz.verify import classes, downstream, examples, neurons, statistics
from featureviz.verify.findings import Finding
from featureviz.verify.truth import Truth

CHECKS: tuple[Callable[[Dashboard, Truth], Iterator[Finding]], ...] = (
    statistics.statistics,
    statistics.histogram,
    statistics.tokens_fired_on,
    examples.activations_shown,
    examples.top_contexts,
    examples.samples,
    examples.silent,
    downstream.logit_weights,
    downstream.effects,
    neurons.alignment,
    neurons.correlations,
    classes.profiles,
)


def compare(page: Dashboard, truth: Truth) -> list[Finding]:
    """Every number of a page beside its recomputation."""
    return [finding for check in CHECKS for finding in check(page, truth)]
