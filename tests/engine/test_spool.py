"""Shards on disk: sorted by latent, in corpus order, readable in part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.dashboards.slices import read_slices
from featureviz.engine.activations import Actives
from featureviz.engine.spool import Spool, by_latent, maxima, read_maxima, write_shard


def actives(entries):
    """Entries (place, latent, value) in the order of a batch: by place, then latent."""
    places, latents, values = zip(*sorted(entries), strict=True) if entries else ((), (), ())
    return Actives(
        np.array(places, np.uint32), np.array(latents, np.int32), np.array(values, np.float32)
    )


entries = st.dictionaries(
    st.tuples(st.integers(0, 20), st.integers(0, 4)), st.floats(2.0**-20, 8, width=32), max_size=40
).map(lambda found: [(place, latent, value) for (place, latent), value in found.items()])


@settings(deadline=None)
@given(entries)
def test_each_latent_gets_its_own_activations_in_corpus_order(found):
    slices = by_latent(actives(found), 5)
    for latent in range(5):
        own = slice(slices.starts[latent], slices.starts[latent + 1])
        expected = sorted((place, value) for place, at, value in found if at == latent)
        assert list(zip(slices.places[own], slices.values[own], strict=True)) == expected


@settings(deadline=None)
@given(entries)
def test_maxima_are_those_of_each_latent_and_zero_where_silent(found):
    expected = [max((v for _, at, v in found if at == latent), default=0) for latent in range(5)]
    assert maxima(by_latent(actives(found), 5)).tolist() == expected


@settings(deadline=None, max_examples=50)
@given(entries, st.integers(0, 4), st.integers(1, 5))
def test_a_part_read_back_is_the_part_written(tmp_path_factory, found, first, end):
    end = max(first + 1, end)
    path = tmp_path_factory.mktemp("spool") / "0.safetensors"
    slices = by_latent(actives(found), 5)
    write_shard(path, slices)
    part = read_slices(path, first, end)
    kept = slice(slices.starts[first], slices.starts[end])
    assert part.starts.tolist() == (slices.starts[first : end + 1] - slices.starts[first]).tolist()
    assert part.places.tolist() == slices.places[kept].tolist()
    assert part.values.tolist() == slices.values[kept].tolist()
    assert read_maxima(path, first, end).tolist() == maxima(slices)[first:end].tolist()


@pytest.mark.parametrize("found", [[], [(3, 0, 1.0)]], ids=["a silent shard", "a silent block"])
def test_latents_without_any_activation_are_read_as_empty(tmp_path, found):
    write_shard(tmp_path / "0.safetensors", by_latent(actives(found), 4))
    part = read_slices(tmp_path / "0.safetensors", 2, 4)
    assert part.starts.tolist() == [0, 0, 0]
    assert len(part.places) == len(part.values) == 0


SHARD_POSITIONS = 21


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shards")


def spool_of(folder, shards):
    """Shards of five latents on disk, and all activations of each latent in corpus order."""
    paths = [folder / f"{number}.safetensors" for number in range(len(shards))]
    everything = [[] for _ in range(5)]
    for number, (path, found) in enumerate(zip(paths, shards, strict=True)):
        write_shard(path, by_latent(actives(found), 5))
        for place, latent, value in sorted(found):
            everything[latent].append((number * SHARD_POSITIONS + place, value))
    return Spool(paths, SHARD_POSITIONS), everything


@settings(deadline=None, max_examples=60)
@given(shards=st.lists(entries, min_size=1, max_size=4), held=st.integers(1, 60))
def test_all_shards_are_read_in_corpus_order_whatever_is_held_at_once(folder, shards, held):
    spool, everything = spool_of(folder, shards)
    found = [[] for _ in range(5)]
    for part in spool.cuts(range(5), held):
        for stretch in spool.stretches(part, held):
            for row, latent in enumerate(part):
                own = slice(stretch.starts[row], stretch.starts[row + 1])
                found[latent] += zip(stretch.places[own], stretch.values[own], strict=True)
    assert found == everything
    assert spool.maxima(range(5)).tolist() == [
        max((value for _, value in own), default=0) for own in everything
    ]


@settings(deadline=None, max_examples=60)
@given(shards=st.lists(entries, min_size=1, max_size=4), held=st.integers(1, 60))
def test_no_more_is_held_than_asked_but_for_one_latent_in_one_shard(folder, shards, held):
    spool, everything = spool_of(folder, shards)
    for part in spool.cuts(range(5), held):
        assert len(part) == 1 or sum(len(everything[latent]) for latent in part) <= held
        least = max(
            sum(latent in part for _, latent, _ in found) for found in shards
        )  # a shard's share of it is read whole
        for stretch in spool.stretches(part, held):
            assert len(stretch.values) <= max(held, least)


def test_ten_times_the_shards_hold_no_more_at_once(folder):
    shard = [(place, latent, 1.0) for place in range(SHARD_POSITIONS) for latent in range(5)]
    most = []
    for n_shards in (4, 40):
        spool, _ = spool_of(folder, [shard] * n_shards)
        stretches = [
            len(stretch.values)
            for part in spool.cuts(range(5), 50)
            for stretch in spool.stretches(part, 50)
        ]
        assert sum(stretches) == n_shards * len(shard)
        most.append(max(stretches))
    assert most == [42, 42]
