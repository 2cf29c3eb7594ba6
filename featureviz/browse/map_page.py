"""The map of a dictionary: its latents as points, and what stands beside the plot."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from featureviz.browse.asking import Asked, asked_now
from featureviz.browse.formats import THIN, activation, percent
from featureviz.catalog import questions
from featureviz.catalog.models import Question, Run
from featureviz.dashboards.maps import LatentMap, Layout, read_map
from featureviz.dashboards.store import StoreError
from featureviz.dashboards.text import visible

COLOURS = (("density", "Density"), ("cluster", "Cluster"), ("max", "Maximum"))
N_LEVELS = 10
_DENSITY_EDGES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # same in every map
_EDGE_WORDS = ("0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10")  # percent
_LAYOUTS = {"pca": "PCA", "umap": "UMAP"}
_LISTED = 100
_TOKENS = 6  # a cluster is described by
_FIELDS = ("index", "n_active", "density", "max_activation", "top_token", "promoted_token")
# An even lightness, so that no point is louder than another in either theme: green to violet; for
# clusters around the circle, every second one lighter. base.css has them too, for legends.
SCALE = (
    "#33974b", "#00996e", "#00978a", "#00939e", "#258dab", "#4287b6", "#5780c2", "#7077c8",
    "#896dc6", "#a062bb",
)  # fmt: skip
HUES = (
    "#cf686b", "#af5a21", "#b5820c", "#7a7a00", "#6d9a63", "#2b866c", "#319da3", "#2b7ea1",
    "#5c8cda", "#7565bb", "#af70bd", "#ab517f",
)  # fmt: skip
DEAD = "#8b8e95"

Levels = npt.NDArray[np.int64]


class Point(NamedTuple):
    """A latent on the map."""

    latent: int  # its index
    n_active: int
    density: float
    max_activation: float
    top_token: str
    promoted_token: str


@dataclass(frozen=True, slots=True)
class Step:
    """A colour of the legend."""

    level: int  # −1: never fired
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Latents that write along similar directions."""

    number: int
    size: int
    n_dead: int
    density: float  # the median of those that fired; 0: none did
    strongest: float
    tokens: tuple[str, ...]  # most of its latents fire most on these
    query: str


@dataclass(frozen=True)
class MapPage:
    """A map as an address asks for it; without a file it says how one comes."""

    run: Run
    colour: str
    by: str
    chosen: int | None  # the cluster that is listed

    @classmethod
    def of(cls, run: Run, query: Mapping[str, str]) -> Self:
        """Read an address; what is not understood is the default."""
        colour = query.get("colour", "")
        cluster = query.get("cluster", "")
        known = dict(COLOURS)
        return cls(
            run,
            colour if colour in known else "density",
            query.get("by", ""),
            int(cluster) if cluster.isdecimal() and len(cluster) < 4 else None,
        )

    # ---------- whether it is there ----------

    @cached_property
    def map(self) -> LatentMap | None:
        """The stored map; none until a worker has made it."""
        try:
            return read_map(self.run.folder)
        except StoreError:
            return None

    @cached_property
    def asked(self) -> Asked:
        """What became of asking a worker for it: reading the page asks, once a run."""
        try:
            found = questions.ask(self.run, Question.Kind.MAP)
            if found.state == Question.State.ANSWERED:  # and its file was deleted since
                questions.again(found)
                found = questions.ask(self.run, Question.Kind.MAP)
        except questions.TooMany:
            return Asked(None)
        return asked_now(found)

    @property
    def problem(self) -> str:
        """Why there will be none; empty: there will be one."""
        return "" if self.asked.is_open else self.asked.problem

    # ---------- what is on it ----------

    @cached_property
    def points(self) -> list[Point]:
        """Every latent, by index."""
        rows = self.run.latents.order_by("index").values_list(*_FIELDS)
        return [Point(*row) for row in rows]

    @cached_property
    def layout(self) -> Layout:
        """Where they lie."""
        assert self.map
        return self.map.layout(self.by)

    @cached_property
    def clusters_of(self) -> Levels:
        """The cluster of every point."""
        assert self.map
        return self.map.cluster_of[[point.latent for point in self.points]].astype(np.int64)

    @property
    def layouts(self) -> list[tuple[str, str, bool]]:
        """The layouts there are: words, address, whether it is the one shown."""
        names = [each.name for each in self.map.layouts] if self.map else []
        return [
            (_LAYOUTS.get(name, name), self.query(by=name), name == self.layout.name)
            for name in names
        ]

    @property
    def colours(self) -> list[tuple[str, str, str, bool]]:
        """What points may be coloured by: name, words, address, whether it is so."""
        return [
            (name, words, self.query(colour=name), name == self.colour) for name, words in COLOURS
        ]

    def query(self, **changes: str) -> str:
        """The address with changes, its defaults left out."""
        named = {"colour": self.colour, "by": self.by}
        if self.chosen is not None:
            named["cluster"] = str(self.chosen)
        named |= changes
        defaults = {"colour": "density", "by": "pca"}
        kept = {
            name: value for name, value in named.items() if value and value != defaults.get(name)
        }
        return f"?{urlencode(kept)}" if kept else "?"

    @cached_property
    def levels(self) -> dict[str, Levels]:
        """The colour of every point, by what it may stand for; −1: it never fired."""
        return {
            "density": density_levels([point.density for point in self.points]),
            "max": size_levels([point.max_activation for point in self.points]),
            "cluster": self.clusters_of,
        }

    @property
    def legend(self) -> list[Step]:
        """The colours with their words and how many points have them, strongest first."""
        return self.legends[self.colour]

    @cached_property
    def legends(self) -> dict[str, list[Step]]:
        """All legends, for a page that changes colours without asking again."""
        top = max((point.max_activation for point in self.points), default=0.0)
        words = {
            "density": _density_words(),
            "max": _size_words(top),
            "cluster": [f"cluster {number + 1}" for number in range(self.map.n_clusters)]
            if self.map
            else [],
        }
        return {name: _steps(self.levels[name], words[name], name) for name in words}

    @cached_property
    def clusters(self) -> list[Cluster]:
        """The clusters, largest first."""
        members: dict[int, list[Point]] = {}
        for point, number in zip(self.points, self.clusters_of.tolist(), strict=True):
            members.setdefault(number, []).append(point)
        return [
            _cluster(number, members[number], self.query(cluster=str(number + 1), colour="cluster"))
            for number in sorted(members)
        ]

    @property
    def listed(self) -> list[Point]:
        """The chosen cluster's latents, densest first, as many as fit."""
        return self._members[:_LISTED]

    @property
    def n_chosen(self) -> int:
        """All of them."""
        return len(self._members)

    @cached_property
    def _members(self) -> list[Point]:
        if self.chosen is None:
            return []
        numbered = zip(self.points, self.clusters_of.tolist(), strict=True)
        members = [point for point, number in numbered if number == self.chosen - 1]
        return sorted(members, key=lambda point: (-point.density, point.latent))

    @property
    def shares(self) -> str:
        """How much of what tells directions apart lies in the plane shown."""
        if not self.layout.shares:
            return ""
        first, second = (percent(share) for share in (*self.layout.shares, 0.0)[:2])
        return f"{first} and {second}"

    @property
    def densest(self) -> float:
        """The largest median density of a cluster."""
        return max((each.density for each in self.clusters), default=0.0)

    @property
    def strongest(self) -> float:
        """The largest activation of all."""
        return max((point.max_activation for point in self.points), default=0.0)

    @property
    def n_dead(self) -> int:
        """Latents that never fired."""
        return sum(not point.n_active for point in self.points)


def density_levels(densities: Sequence[float]) -> Levels:
    """Steps of about half a power of ten, the same in every map: 0 the rarest; −1: never."""
    values = np.asarray(densities)
    return np.where(values > 0, np.searchsorted(_DENSITY_EDGES, values, side="right"), -1)


def size_levels(sizes: Sequence[float]) -> Levels:
    """Tenths of the largest, each with its upper end: 0 the weakest; −1: nothing."""
    values = np.asarray(sizes)
    top = values.max(initial=0.0) or 1.0
    tenths = np.ceil(values / top * N_LEVELS).astype(np.int64) - 1
    return np.where(values > 0, np.clip(tenths, 0, N_LEVELS - 1), -1)


def map_record(page: MapPage) -> dict[str, Any]:
    """The map as plain values, latent by latent; needs a stored map."""
    assert page.map
    indices = [point.latent for point in page.points]
    return {
        "dictionary": str(page.run.dictionary),
        "run": page.run.key,
        "layouts": {each.name: _coordinates(each, indices) for each in page.map.layouts},
        "seed": page.map.seed,
        "index": indices,
        "cluster": (page.clusters_of + 1).tolist(),
        "n_active": [point.n_active for point in page.points],
        "density": [_short(point.density) for point in page.points],
        "max_activation": [_short(point.max_activation) for point in page.points],
        "top_token": [visible(point.top_token) for point in page.points],
        "promoted_token": [visible(point.promoted_token) for point in page.points],
        "levels": {name: levels.tolist() for name, levels in page.levels.items()},
    }


def map_svg(page: MapPage) -> str:
    """The plot as a picture: a path of dots for each colour, nothing that a policy would forbid."""
    x, y = _in_box(page)
    levels, palette = page.levels[page.colour], palette_of(page.colour)
    paths = "".join(
        f'<path stroke="{DEAD if level < 0 else palette[level]}" '
        f'd="{_dots(x[levels == level], y[levels == level])}"/>'
        for level in sorted(set(levels.tolist()))
    )
    width = max(2.0, min(7.0, 260 / math.sqrt(max(1, len(x)))))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke-linecap="round" '
        f'stroke-width="{width:.1f}" stroke-opacity="0.85">{paths}</svg>'
    )


_WIDTH, _HEIGHT, _EDGE = 1200, 720, 12


def palette_of(colour: str) -> Sequence[str]:
    """The colours of levels from 0 on."""
    return HUES if colour == "cluster" else SCALE


def _in_box(page: MapPage) -> tuple[Levels, Levels]:
    indices = [point.latent for point in page.points]
    x, y = (axis[indices].astype(np.float64) for axis in page.layout.points)
    return _fitted(x, _WIDTH), _HEIGHT - _fitted(y, _HEIGHT)


def _fitted(values: npt.NDArray[np.float64], length: int) -> Levels:
    low, high = values.min(initial=0.0), values.max(initial=0.0)
    share = (values - low) / ((high - low) or 1.0)
    return np.rint(_EDGE + share * (length - 2 * _EDGE)).astype(np.int64)


def _dots(x: Levels, y: Levels) -> str:
    return "".join(f"M{a} {b}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _steps(levels: Levels, words: Sequence[str], name: str) -> list[Step]:
    counts = Counter(levels.tolist())
    order = range(len(words)) if name == "cluster" else reversed(range(len(words)))
    steps = [Step(level, words[level], counts[level]) for level in order]
    dead = [Step(-1, "never fired", counts[-1])] if counts[-1] else []
    return [step for step in steps if step.count] + dead


def _density_words() -> list[str]:
    bounds = [f"{edge}{THIN}%" for edge in _EDGE_WORDS]
    between = [f"{low} to {high}" for low, high in pairwise(bounds)]
    return [f"under {bounds[0]}", *between, f"{bounds[-1]} or more"]


def _size_words(top: float) -> list[str]:
    edges = [activation(top * number / N_LEVELS, top) for number in range(N_LEVELS + 1)]
    return [f"{low} to {high}" for low, high in pairwise(edges)]


def _cluster(number: int, members: Sequence[Point], query: str) -> Cluster:
    alive = [point for point in members if point.n_active]
    tokens = Counter(point.top_token for point in alive)
    return Cluster(
        number=number + 1,
        size=len(members),
        n_dead=len(members) - len(alive),
        density=median(point.density for point in alive) if alive else 0.0,
        strongest=max((point.max_activation for point in alive), default=0.0),
        tokens=tuple(token for token, _ in tokens.most_common(_TOKENS)),
        query=query,
    )


def _coordinates(layout: Layout, indices: Sequence[int]) -> dict[str, Any]:
    x, y = (axis[indices] for axis in layout.points)
    return {
        "x": [_short(value) for value in x.tolist()],
        "y": [_short(value) for value in y.tolist()],
        "shares_of_variance": layout.shares,
        "made_by": layout.made_by,
    }


def _short(number: float) -> float:
    """Five digits: more than a screen can show, half the bytes."""
    return float(f"{number:.5g}")
