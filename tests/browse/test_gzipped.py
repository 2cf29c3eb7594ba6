"""gzip put together from pieces: what any reader of gzip takes."""

import gzip
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.browse import gzipped as module
from featureviz.browse.gzipped import gzipped

SECTION = b"<section id=%d>" + b"some words of a context, " * 900 + b"</section>"
ENDS = st.lists(
    st.sampled_from([b"", b"a", b"<section ", b"\n", b"csrfmiddlewaretoken", b"\xff" * 99])
)


@pytest.fixture(autouse=True)
def _nothing_kept():
    module._KEPT.clear()


def page(n_sections, end=b""):
    return b"<html>" + b"".join(SECTION % number for number in range(n_sections)) + end


@given(pieces=ENDS, n_sections=st.integers(0, 4))
def test_what_is_read_is_what_was_written(pieces, n_sections):
    content = page(n_sections, b"".join(pieces))
    assert gzip.decompress(gzipped(content)) == content


def test_the_bytes_are_the_same_whatever_was_kept():
    first = gzipped(page(4))
    assert len(module._KEPT) > 2
    assert gzipped(page(4)) == first
    gzipped(page(3, b"another end"))
    assert gzipped(page(4)) == first


def test_pieces_seen_before_are_not_compressed_again(monkeypatch):
    gzipped(page(4, b"one end"))
    again = []

    def compress(piece):
        again.append(piece)
        return b""

    monkeypatch.setattr(module, "_compress", compress)
    gzipped(page(4, b"another end"))
    assert len(again) == 1
    assert again[0].endswith(b"another end")


def test_a_piece_with_the_token_of_a_form_is_not_kept():
    gzipped(page(0, b'<input name="csrfmiddlewaretoken" value="x">'))
    assert len(module._KEPT) == 0


def test_the_program_gzip_reads_it_as_one_member():
    content = page(4)
    told = subprocess.run(["gzip", "-dc"], input=gzipped(content), capture_output=True, check=True)
    assert told.stdout == content
    assert told.stderr == b""
