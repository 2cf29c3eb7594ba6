"""The file of a map: read back as it was, or refused."""

import msgspec
import numpy as np
import pytest

from featureviz.dashboards.maps import FILE, LatentMap, Layout, read_map, write_map
from featureviz.dashboards.store import StoreError


def floats(*values):
    return np.array(values, "<f4").tobytes()


MAP = LatentMap(
    n_latents=2,
    layouts=(
        Layout("pca", floats(1.5, -2), floats(0, 0.25), (0.5, 0.25), "numpy"),
        Layout("umap", floats(7, 8), floats(9, 10)),
    ),
    clusters=bytes([1, 0]),
    n_clusters=2,
    seed=0,
    dictionary_digest="d",
)


def test_a_map_is_read_back_as_it_was(tmp_path):
    write_map(tmp_path, MAP)
    found = read_map(tmp_path)
    assert found == MAP
    assert [axis.tolist() for axis in found.layout("pca").points] == [[1.5, -2], [0, 0.25]]
    assert found.cluster_of.tolist() == [1, 0]


def test_a_layout_that_is_not_there_is_the_first(tmp_path):
    assert MAP.layout("umap").name == "umap"
    assert MAP.layout("tsne").name == MAP.layout("").name == "pca"


def test_what_is_absent_damaged_or_of_another_version_is_refused(tmp_path):
    with pytest.raises(StoreError):
        read_map(tmp_path)
    write_map(tmp_path, MAP)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-3])
    with pytest.raises(StoreError):
        read_map(tmp_path)
    write_map(tmp_path, msgspec.structs.replace(MAP, version=99))
    with pytest.raises(StoreError, match="version 99"):
        read_map(tmp_path)
