"""The API: its routes, and how it refuses."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from featureviz import __version__
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.rest import reading, schemas, writing
from featureviz.browse.rest.access import Access, TooManyError

_REFUSED = {
    "description": "Refused",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class _Described(NinjaAPI):
    """An API whose description tells what holds for every route."""

    def get_openapi_schema(self, **options: Any) -> Any:
        """The OpenAPI description: any route may refuse, and a token is asked for by none."""
        schema = super().get_openapi_schema(**options)
        schema["components"]["schemas"]["Problem"] = schemas.Problem.model_json_schema()
        for methods in schema["paths"].values():
            for route in methods.values():
                route["responses"].setdefault("4XX", _REFUSED)
                route["security"] = [{}, *route["security"]]
        return schema


api = _Described(
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
