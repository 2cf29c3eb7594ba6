"""What travels of a page."""

import gzip

import brotli
import pytest
from django.http import HttpResponse

from featureviz.browse.compression import compressed_pages
from tests.factories import make_run

pytestmark = pytest.mark.django_db
READ = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("identity", None),
        ("", None),
    ],
)
def test_a_page_travels_in_the_best_coding_the_browser_takes(client, store, accepted, coding):
    make_run()
    plain = client.get("/demo/sae/3")
    reply = client.get("/demo/sae/3", headers={"accept-encoding": accepted})
    assert reply.headers.get("Content-Encoding") == coding
    assert "Accept-Encoding" in reply.headers["Vary"]
    assert READ[coding](reply.content) == plain.content
    assert coding is None or len(reply.content) < len(plain.content) / 3


def test_a_streamed_file_is_compressed_too(client, store):
    make_run()
    reply = client.get("/demo/sae/latents.csv", headers={"accept-encoding": "gzip, br"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(reply.getvalue()).startswith(b"index,")


def test_a_short_reply_stays_as_it_is(client, store):
    reply = client.get("/api/feature/a/b/1", headers={"accept-encoding": "br"})
    assert "Content-Encoding" not in reply.headers


@pytest.mark.parametrize(
    ("size", "accepted", "coding"),
    [(100_000, "gzip, br", "br"), (100_001, "gzip, br", "gzip"), (100_001, "br", "br")],
)
def test_a_large_page_travels_in_the_coding_whose_pieces_are_kept(rf, size, accepted, coding):
    content = b"<section >" + b"x" * (size - 10)
    respond = compressed_pages(lambda _request: HttpResponse(content))
    reply = respond(rf.get("/", headers={"accept-encoding": accepted}))
    assert reply.headers["Content-Encoding"] == coding
    assert READ[coding](reply.content) == content
