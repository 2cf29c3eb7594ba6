"""The API's own page: its routes, drawn from its description."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from featureviz.browse.rest.routes import api


@dataclass(frozen=True, slots=True)
class Field:
    """Something a route takes."""

    name: str
    place: str  # path, query or body
    kind: str
    meaning: str
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Route:
    """A method at an address."""

    method: str
    path: str
    summary: str
    description: str
    group: str
    fields: tuple[Field, ...]


@require_safe
def routes(request: HttpRequest) -> HttpResponse:
    """All routes, by group."""
    schema = api.get_openapi_schema()
    groups: dict[str, list[Route]] = {}
    for route in _routes(schema):
        groups.setdefault(route.group, []).append(route)
    context = {"groups": groups.items(), "per_minute": settings.FEATUREVIZ_API_PER_MINUTE}
    return render(request, "browse/api.html", context)


def _routes(schema: dict[str, Any]) -> Iterator[Route]:
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            given = [_parameter(each) for each in told.get("parameters", ())]
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            fields = (*given, *_of_body(body.get("schema", {}), schema))
            summary, description = told["summary"], told.get("description", "")
            yield Route(method.upper(), path, summary, description, told["tags"][0], fields)


def _parameter(told: dict[str, Any]) -> Field:
    schema = told["schema"]
    meaning = told.get("description") or schema.get("description", "")
    return Field(told["name"], told["in"], _kind(schema), meaning, told.get("required", False))


def _of_body(told: dict[str, Any], schema: dict[str, Any]) -> Iterator[Field]:
    name = told.get("$ref", "").rpartition("/")[2]
    body = schema["components"]["schemas"].get(name, {})
    for field, of in body.get("properties", {}).items():
        needed = field in body.get("required", ())
        yield Field(field, "body", _kind(of), of.get("description", ""), needed)


def _kind(schema: dict[str, Any]) -> str:
    kinds = [each.get("type", "") for each in schema.get("anyOf", [schema])]
    return " or ".join(filter(None, kinds))
