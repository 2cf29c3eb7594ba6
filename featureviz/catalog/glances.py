"""What a row of the table shows of a latent beside its first statistics: a glance at its dashboard.

Everything here is small enough to stand in the latent's own row, so that a hundred rows of a table
cost no look into any pack.
"""

import math
from collections.abc import Callable
from typing import Any

from featureviz.dashboards.schema import Dashboard, Example, Histogram

N_BARS = 32  # of a shape, at most
_TOKENS = 5  # fired on, promoted
_FULL = 255


def glance(dashboard: Dashboard, text_of: Callable[[int], str]) -> dict[str, Any]:
    """The columns of a Latent that a table adds, by name; `text_of` a token gives its text."""
    strongest = _strongest(dashboard)
    logits = dashboard.shown_logits
    return {
        "n_active_contexts": dashboard.n_active_contexts,
        "decoder_norm": dashboard.decoder_norm,
        "variation": variation(dashboard),
        "shape": shape(dashboard.histogram),
        "fires_on": [text_of(row.token) for row in dashboard.fires_on[:_TOKENS]],
        "promotes": [text_of(row.token) for row in logits.top[:_TOKENS]] if logits else [],
        "top_context": strongest and strongest.context,
        "top_position": strongest and strongest.position,
    }


def variation(dashboard: Dashboard) -> float | None:
    """Standard deviation of the activations > 0 in units of their mean; none when dead.

    The coefficient of variation over the active positions, from their exact sum and sum of squares:
    0 where all are alike, 1 for an exponential law, more where few are far above the others.
    """
    mean = dashboard.mean_activation
    if not mean:
        return None
    mean_square = dashboard.sum_squared_activation / dashboard.n_active
    return math.sqrt(max(0.0, mean_square / mean**2 - 1))


def shape(histogram: Histogram) -> bytes:
    """A histogram as one byte a bar: 0 where nothing is, else 1 to 255 with the log of the count.

    Bars are runs of bins of equal number, N_BARS at most; 255 is the fullest.
    """
    counts = histogram.counts
    width = math.ceil(len(counts) / N_BARS)
    bars = [sum(counts[at : at + width]) for at in range(0, len(counts), width or 1)]
    scale = math.log1p(max(bars, default=0)) or 1.0
    return bytes(1 + round((_FULL - 1) * math.log1p(bar) / scale) if bar else 0 for bar in bars)


def _strongest(dashboard: Dashboard) -> Example | None:
    """Where it is most active; of a signed latent that is never positive, most negative."""
    if dashboard.top:
        return dashboard.top[0]
    negative = dashboard.negative
    return negative.top[0] if negative and negative.top else None
