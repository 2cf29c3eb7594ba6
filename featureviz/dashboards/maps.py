"""The map of a dictionary: a point and a cluster for every latent, one file a run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from featureviz.dashboards.schema import Record
from featureviz.dashboards.store import StoreError, write_atomically

MAP_VERSION = 1
FILE = "map.msgpack"
Floats = npt.NDArray[np.float32]


class Layout(Record, frozen=True):
    """Where the latents lie, in one way of laying them out."""

    name: str  # pca, umap
    x: bytes  # float32, little-endian, one a latent
    y: bytes
    shares: tuple[float, ...] = ()  # of the rows' variance along x and y; none where it is no sum
    made_by: str = ""  # what computed it, with its version

    @property
    def points(self) -> tuple[Floats, Floats]:
        """The coordinates [n] and [n]."""
        return np.frombuffer(self.x, "<f4"), np.frombuffer(self.y, "<f4")


class LatentMap(Record, frozen=True):
    """Latents by where their directions point."""

    n_latents: int
    layouts: tuple[Layout, ...]  # the first is the one shown unasked
    clusters: bytes  # uint8, one a latent; 0 is the largest
    n_clusters: int
    seed: int  # of the clusters' first centres, and of layouts that draw lots
    dictionary_digest: str
    version: int = MAP_VERSION

    @property
    def cluster_of(self) -> npt.NDArray[np.uint8]:
        """The cluster of every latent [n]."""
        return np.frombuffer(self.clusters, np.uint8)

    def layout(self, name: str) -> Layout:
        """The layout of a name, else the first."""
        return next((each for each in self.layouts if each.name == name), self.layouts[0])


def write_map(run: Path, found: LatentMap) -> None:
    """Write a run's map; the same map gives the same bytes."""
    write_atomically(run / FILE, msgspec.msgpack.encode(found))


def read_map(run: Path) -> LatentMap:
    """A run's map. Raises: StoreError when it is not there, damaged, or of another version."""
    try:
        found = msgspec.msgpack.decode((run / FILE).read_bytes(), type=LatentMap)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"{FILE}: {error}") from error
    if found.version != MAP_VERSION:
        raise StoreError(f"{FILE} is of version {found.version}; this is {MAP_VERSION}.")
    return found
