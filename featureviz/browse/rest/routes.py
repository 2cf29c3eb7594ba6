"""The API: its routes, and how it refuses."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from featureviz import __version__
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.rest import reading, schemas, writing
from featureviz.browse.rest.access import Access, TooManyError

api = NinjaAPI(
    title="featureviz",
    version=__version__,
    description="Latents of sparse autoencoders, and what people write about them.",
    urls_namespace="api",
    openapi_url="/v1/openapi.json",
    docs_url=None,
    auth=Access(),
)
api.add_router("", reading.router)
api.add_router("", writing.router)


def described() -> dict[str, Any]:
    """The OpenAPI description, with the refusals that any route may give."""
    schema: dict[str, Any] = api.get_openapi_schema()
    return schema


@api.exception_handler(Http404)
def _not_there(request: HttpRequest, error: Http404) -> HttpResponse:
    return _refusal(request, 404, f"There is nothing at {request.path}.")


@api.exception_handler(TooManyError)
def _too_many(request: HttpRequest, error: TooManyError) -> HttpResponse:
    reply = _refusal(request, 429, error.message)
    reply.headers["Retry-After"] = str(error.seconds)
    return reply


@api.exception_handler(HttpError)
def _refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    reply = _refusal(request, error.status_code, error.message)
    if error.status_code == 401:
        reply.headers["WWW-Authenticate"] = "Bearer"
    return reply


@api.exception_handler(AnnotateError)
def _cannot_be_kept(request: HttpRequest, error: AnnotateError) -> HttpResponse:
    return _refusal(request, 422, str(error))


@api.exception_handler(ValidationError)
def _not_understood(request: HttpRequest, error: ValidationError) -> HttpResponse:
    said = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors]
    return _refusal(request, 422, "; ".join(said))


def _refusal(request: HttpRequest, status: int, why: str) -> HttpResponse:
    return api.create_response(request, schemas.Problem(error=why), status=status)
