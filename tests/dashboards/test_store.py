"""Packs on disk: each record in a frame of its own, read without the others, or refused."""

import pytest
import zstandard

from featureviz.dashboards.store import StoreError, _encoder, read_dashboard, write_pack
from tests.factories import make_dashboard, tokenised


@pytest.fixture
def boards():
    text = tokenised(["the cat sat on the mat", "and the dog ran over the hill"] * 20)
    return [make_dashboard(index, text, 40) for index in range(7, 40)]


def test_every_record_is_read_back_as_it_was(boards, tmp_path):
    write_pack(tmp_path / "0.pack", boards)
    assert [read_dashboard(tmp_path / "0.pack", one.index) for one in boards] == boards


def test_the_cores_of_a_machine_change_no_byte(boards, tmp_path):
    write_pack(tmp_path / "0.pack", boards)
    compressor = zstandard.ZstdCompressor(level=3)
    alone = b"".join(compressor.compress(_encoder.encode(one)) for one in boards)
    assert (tmp_path / "0.pack").read_bytes().endswith(alone)


@pytest.mark.parametrize("index", [6, 40])
def test_a_latent_of_another_pack_is_refused(boards, tmp_path, index):
    write_pack(tmp_path / "0.pack", boards)
    with pytest.raises(StoreError, match=f"does not hold latent {index}"):
        read_dashboard(tmp_path / "0.pack", index)


def test_a_pack_cut_short_is_refused(boards, tmp_path):
    write_pack(tmp_path / "0.pack", boards)
    whole = (tmp_path / "0.pack").read_bytes()
    (tmp_path / "0.pack").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError):
        read_dashboard(tmp_path / "0.pack", 39)


def test_a_pack_of_nothing_holds_nothing(tmp_path):
    write_pack(tmp_path / "0.pack", [])
    with pytest.raises(StoreError):
        read_dashboard(tmp_path / "0.pack", 0)
