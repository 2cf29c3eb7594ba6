"""The two ends of a signed latent, computed as if each were a latent, become one dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from msgspec.structs import asdict, replace

from featureviz.dashboards.schema import (
    ClassProfile,
    Dashboard,
    Example,
    Histogram,
    Interval,
    TokenCount,
)


def with_both_ends(dashboards: Sequence[Dashboard], ends: int) -> list[Dashboard]:
    """Dashboards of a block's ends to those of its latents; as they are where there is one end.

    The positive end is the dashboard; the other one is its `negative`, activations < 0 as they are.
    Last in the making of a block: whatever is known of a latent was found for each end by itself.
    """
    if ends == 1:
        return list(dashboards)
    return [
        replace(positive, index=positive.index // ends, negative=_negative(negative, ends))
        for positive, negative in zip(dashboards[::ends], dashboards[1::ends], strict=True)
    ]


def of_both_ends(dashboard: Dashboard, ends: int) -> list[Dashboard]:
    """The dashboards `with_both_ends` made one of, each about activations > 0 again."""
    if ends == 1:
        return [dashboard]
    assert dashboard.negative is not None, f"latent {dashboard.index} has no negative end"
    positive = replace(dashboard, index=dashboard.index * ends, negative=None)
    negative = replace(_negative(dashboard.negative, 1), index=positive.index + 1)
    return [positive, negative]


def _negative(end: Dashboard, ends: int) -> Dashboard:
    """An end that was computed on -c, about c; its logit weights stay those of a step along -d."""
    lists = {
        name: tuple(map(_turned, value))
        for name, value in asdict(end).items()
        if isinstance(value, tuple)
    }
    return replace(
        end,
        **lists,
        index=end.index // ends,
        sum_activation=_opposite(end.sum_activation),
        max_activation=_opposite(end.max_activation),
        histogram=_turned(end.histogram),
    )


@singledispatch
def _turned(record: Any) -> Any:
    """A record with the sign of its activations turned; one without any is itself."""
    return record


@_turned.register
def _(example: Example) -> Example:
    return replace(
        example,
        activation=_opposite(example.activation),
        activations=tuple(map(_opposite, example.activations)),
    )


@_turned.register
def _(interval: Interval) -> Interval:
    return replace(
        interval,
        lower=_opposite(interval.upper),
        upper=_opposite(interval.lower),
        examples=tuple(map(_turned, interval.examples)),
    )


@_turned.register
def _(count: TokenCount) -> TokenCount:
    return replace(count, total=_opposite(count.total))


@_turned.register
def _(profile: ClassProfile) -> ClassProfile:
    """Its correlation stays that of the activation's size with the class."""
    return replace(profile, total=_opposite(profile.total))


@_turned.register
def _(histogram: Histogram) -> Histogram:
    """Mirrored, so that its edges ascend again; a bin is now [lo, hi)."""
    return Histogram(tuple(map(_opposite, histogram.edges[::-1])), histogram.counts[::-1])


def _opposite(number: float) -> float:
    return 0.0 - number  # never -0.0
