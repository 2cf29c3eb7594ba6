"""The scores of a dictionary as inline SVG: a histogram, and a box with its quartiles over it."""

from featureviz.annotate.agreement import Spread
from featureviz.browse.formats import fixed, whole

_BOX, _BARS = 16.0, 44.0  # heights; the plot is 64 high, a point is 10 wide


def score_plot(spread: Spread, limit: float) -> str:
    """Each bar counts scores of so many points; a dashed line stands above `limit`."""
    tallest = max(spread.counts) or 1
    bars = "".join(
        f"<g><title>{points} points: {whole(count)}</title>"
        f'<rect class="f" x="{10 * points + 1}" width="8" y="{64 - height:.1f}" '
        f'height="{height:.1f}"></rect></g>'
        for points, count in enumerate(spread.counts)
        if count
        for height in [max(1.0, _BARS * count / tallest)]
    )
    label = (
        f"{whole(spread.n)} scores: median {_points(spread.median)}, quartiles "
        f"{_points(spread.lower)} and {_points(spread.upper)}, "
        f"{_points(spread.least)} to {_points(spread.most)}"
    )
    return (
        f'<svg class="plot scores" viewBox="0 0 {10 * len(spread.counts)} 64" '
        f'preserveAspectRatio="none" role="img" aria-label="{label}">'
        f"{_line(limit + 0.5, 0, 64, 'limit')}{bars}{_box(spread)}</svg>"
    )


def _box(spread: Spread) -> str:
    left, right = _x(spread.lower), _x(spread.upper)
    return (
        f'<line x1="{_x(spread.least):.1f}" x2="{left:.1f}" y1="8" y2="8"></line>'
        f'<line x1="{right:.1f}" x2="{_x(spread.most):.1f}" y1="8" y2="8"></line>'
        f'<rect class="box" x="{left:.1f}" width="{right - left:.1f}" y="2" '
        f'height="{_BOX - 4:.0f}"></rect>'
        f"{_line(spread.median, 1, _BOX - 1, 'middle')}"
    )


def _line(points: float, top: float, bottom: float, kind: str) -> str:
    at = _x(points)
    return f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"></line>'


def _x(points: float) -> float:
    return 10 * points + 5


def _points(points: float) -> str:
    return fixed(points, 0 if points == int(points) else 2)
