"""The API's page tells every route, and loads nothing of elsewhere."""

import re

import pytest

from featureviz.browse.rest.routes import api

pytestmark = pytest.mark.django_db


def test_every_route_is_on_the_page(client):
    html = client.get("/api/").content.decode()
    for path, methods in api.get_openapi_schema()["paths"].items():
        assert html.count(f"<code>{path}</code>") == len(methods)


def test_it_keeps_to_the_policy_of_all_pages(client):
    reply = client.get("/api/")
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    html = reply.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", html)


def test_the_description_is_served(client):
    found = client.get("/api/v1/openapi.json").json()
    assert found["paths"].keys() == api.get_openapi_schema()["paths"].keys()


def test_every_route_says_how_it_refuses_and_that_a_token_is_a_choice():
    schema = api.get_openapi_schema()
    routes = [route for methods in schema["paths"].values() for route in methods.values()]
    assert all("4XX" in route["responses"] for route in routes)
    assert {str(route["security"]) for route in routes} == {"[{}, {'Access': []}]"}
    assert "error" in schema["components"]["schemas"]["Problem"]["properties"]


def test_the_limit_is_said(client, settings):
    settings.FEATUREVIZ_API_PER_MINUTE = 321
    assert "321 times a minute" in client.get("/api/").content.decode()
