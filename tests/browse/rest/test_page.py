"""The API's page tells every route, and loads nothing of elsewhere."""

import re

import pytest

from featureviz.browse.rest.routes import described

pytestmark = pytest.mark.django_db


def test_every_route_is_on_the_page(client):
    html = client.get("/api/").content.decode()
    for path, methods in described()["paths"].items():
        assert html.count(f"<code>{path}</code>") == len(methods)


def test_it_keeps_to_the_policy_of_all_pages(client):
    reply = client.get("/api/")
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    html = reply.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", html)


def test_the_description_is_served(client):
    found = client.get("/api/v1/openapi.json").json()
    assert found["paths"].keys() == described()["paths"].keys()


def test_the_limit_is_said(client, settings):
    settings.FEATUREVIZ_API_PER_MINUTE = 321
    assert "321 times a minute" in client.get("/api/").content.decode()
