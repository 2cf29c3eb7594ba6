"""How long a browser may show a page without asking again."""

import pytest

from featureviz.catalog.models import Run
from tests.factories import make_run

pytestmark = pytest.mark.django_db
ADDRESS = "/demo/sae/3"


@pytest.fixture
def run(store):
    return make_run()


def test_a_page_that_did_not_change_is_answered_in_a_few_bytes(client, run):
    first = client.get(ADDRESS)
    again = client.get(ADDRESS, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    client.cookies["theme"] = "dark"
    other = client.get(ADDRESS, headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_what_changed_is_seen_at_once(client, run):
    tag = client.get(ADDRESS).headers["ETag"]
    Run.objects.update(provenance={"versions": {"torch": "9.9"}})
    assert client.get(ADDRESS, headers={"If-None-Match": tag}).status_code == 200


def test_every_visit_asks(client, run):
    control = client.get(ADDRESS).headers["Cache-Control"]
    assert control == "private, max-age=0"


@pytest.mark.parametrize(
    ("headers", "cookies", "seconds"),
    [
        ({"Sec-Purpose": "prefetch"}, {}, 60),
        ({"Sec-Purpose": "prefetch;prerender"}, {"theme": "dark"}, 60),
        ({"X-Moz": "prefetch"}, {}, 60),
        ({"Sec-Purpose": "prefetch"}, {"sessionid": "x", "csrftoken": "x"}, 60),
        ({}, {}, 0),
    ],
)
def test_only_what_is_fetched_ahead_is_kept(client, run, headers, cookies, seconds):
    for name, value in cookies.items():
        client.cookies[name] = value
    reply = client.get(ADDRESS, headers=headers)
    assert f"max-age={seconds}" in reply.headers["Cache-Control"]
    assert "Cookie" in reply.headers["Vary"]


def test_what_is_not_there_is_not_kept(client, run):
    reply = client.get("/demo/sae/99", headers={"Sec-Purpose": "prefetch"})
    assert reply.status_code == 404
    assert "max-age=60" not in reply.headers.get("Cache-Control", "")


def test_who_writes_gets_another_cookie_each_time_and_who_reads_none(client, run):
    assert "wrote" not in client.get(ADDRESS).cookies
    seen = {client.post(f"{ADDRESS}/text", {"text": "a"}).cookies["wrote"].value for _ in "ab"}
    assert len(seen) == 2
