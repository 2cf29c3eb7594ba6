"""Routes that read numbers: models, dictionaries, latents, search."""

from math import ceil
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Query, Router
from ninja.errors import HttpError
from pydantic import Field

from featureviz.annotate.record import whole_record
from featureviz.browse.rest import neuronpedia, schemas
from featureviz.browse.search.views import SearchPage
from featureviz.browse.table.explained import lines
from featureviz.browse.table.page import in_order
from featureviz.browse.table.selection import Selection
from featureviz.browse.table.statistics import STATISTICS, statistics_of
from featureviz.browse.table.view import View
from featureviz.catalog.addresses import current_run, find_latent, readable_runs
from featureviz.catalog.models import Latent, Run
from featureviz.dashboards.finding import TOKENS
from featureviz.dashboards.store import StoreError

router = Router(tags=["Read"])
Page = Annotated[int, Field(ge=1, le=10**6, description="From 1")]
Size = Annotated[int, Field(ge=1, le=1000, description="Latents of a page, up to 1,000")]
_FILTERS = {
    "parameters": [
        *[
            {
                "in": "query",
                "name": each.name,
                "schema": {"type": "string"},
                "description": f"A range, like 0.1..2 or >3. {each.meaning}",
            }
            for each in STATISTICS.values()
        ],
        *[
            {
                "in": "query",
                "name": name,
                "schema": {"type": "string"},
                "description": "A token, as in the table's form.",
            }
            for name in TOKENS
        ],
    ]
}


@router.get("/v1/models", response=list[schemas.ModelOut], summary="Models")
def models(request: HttpRequest) -> list[dict[str, Any]]:
    """The language models with a dictionary to read."""
    found: dict[Any, list[str]] = {}
    for run in readable_runs():
        found.setdefault(run.dictionary.model, []).append(str(run.dictionary))
    names = ("name", "architecture", "n_layers", "d_model", "d_vocab", "digest")
    return [
        {**{name: getattr(model, name) for name in names}, "dictionaries": dictionaries}
        for model, dictionaries in found.items()
    ]


@router.get("/v1/dictionaries", response=list[schemas.DictionaryOut], summary="Dictionaries")
def dictionaries(request: HttpRequest, model: str = "") -> list[dict[str, Any]]:
    """All dictionaries, or those of a model."""
    runs = readable_runs()
    return [_dictionary(run) for run in runs if model in ("", run.dictionary.model.name)]


@router.get(
    "/v1/dictionaries/{model:model}/{name:dictionary}",
    response=schemas.DictionaryOut,
    summary="One dictionary",
)
def dictionary(request: HttpRequest, model: str, dictionary: str) -> dict[str, Any]:
    """One dictionary, and the run whose numbers are shown."""
    return _dictionary(_run(model, dictionary))


@router.get(
    "/v1/latents/{model:model}/{name:dictionary}",
    response=schemas.LatentPage,
    summary="Latents of a dictionary",
    openapi_extra=_FILTERS,
)
def latents(  # noqa: PLR0913, PLR0917 - one for each word of the address
    request: HttpRequest,
    model: str,
    dictionary: str,
    sort: Annotated[str, Query(description="Up to three, like -max,density")] = "",
    show: Annotated[str, Query(description="all, alive or dead")] = "all",
    has: Annotated[str, Query(description="explanation")] = "",
    page: Page = 1,
    page_size: Size = 100,
) -> dict[str, Any]:
    """The table's latents, with its filters and in its order, page by page."""
    run, view = _run(model, dictionary), View.of(request.GET)
    indices = Selection.of(run, view).indices
    n_pages = max(1, ceil(len(indices) / page_size))
    shown = indices[(page - 1) * page_size : page * page_size].tolist()
    said = lines(run.dictionary, shown)
    later = request.GET.copy()
    later["page"] = str(page + 1)
    return {
        "count": len(indices),
        "page": page,
        "n_pages": n_pages,
        "next": f"{request.path}?{later.urlencode()}" if page < n_pages else None,
        "latents": [_row(run, each, said.get(each.index)) for each in in_order(run, shown)],
    }


@router.get(
    "/v1/latents/{model:model}/{name:dictionary}/{index:index}",
    response=dict[str, Any],
    summary="One latent",
)
def latent(request: HttpRequest, model: str, dictionary: str, index: int) -> dict[str, Any]:
    """A latent's whole record, as at `/<model>/<dictionary>/<index>.json`."""
    return record_of(model, dictionary, index)[1]


@router.get("/v1/search", response=schemas.SearchPage, summary="Search")
def search(  # noqa: PLR0913, PLR0917 - one for each word of the address
    request: HttpRequest,
    q: Annotated[str, Query(description="As in the search box")] = "",
    where: Annotated[str, Query(description="A model, or <model>/<dictionary>")] = "",
    kind: str = "",
    sort: str = "best",
    page: Page = 1,
) -> dict[str, Any]:
    """Find latents by words, tokens, explanations and numbers."""
    found = SearchPage.of(request.GET, request.user)
    results = found.results
    is_past = page > results.n_pages
    return {
        "count": results.n_found,
        "page": page,
        "n_pages": results.n_pages,
        "problems": [f"{text}: {problem.message}" for text, problem in found.problems],
        "hits": [] if is_past or found.is_empty else [_hit(each) for each in found.hits],
    }


@router.get(
    "/feature/{model:model}/{name:source}/{index:index}",
    response=dict[str, Any],
    summary="One latent, in the field names of Neuronpedia",
    tags=["Neuronpedia"],
)
def feature(request: HttpRequest, model: str, source: str, index: int) -> dict[str, Any]:
    """For programs that read Neuronpedia. A signed latent's negative end is left out."""
    return neuronpedia.feature(*record_of(model, source, index))


def record_of(model: str, dictionary: str, index: int) -> tuple[Latent, dict[str, Any]]:
    """A latent and its record. Raises: Http404, HttpError when its files are gone."""
    latent = latent_or_404(model, dictionary, index)
    try:
        return latent, whole_record(latent)
    except StoreError as error:
        again = f"python manage.py precompute --resume {latent.run.key[:8]}"
        raise HttpError(503, f"The run's files are gone from the store; `{again}`.") from error


def latent_or_404(model: str, dictionary: str, index: int) -> Latent:
    """The latent at an address. Raises: Http404, also where it may not be read."""
    found = find_latent(model, dictionary, index)
    if found is None:
        raise Http404
    return found


def _run(model: str, dictionary: str) -> Run:
    run = current_run(model, dictionary)
    if run is None:
        raise Http404
    return run


def _dictionary(run: Run) -> dict[str, Any]:
    names = ("architecture", "hook", "d_in", "d_sae", "digest")
    return {
        "address": str(run.dictionary),
        **{name: getattr(run.dictionary, name) for name in names},
        "run": run.key,
        "published_at": run.published_at,
        "corpus": run.corpus.name,
        "n_tokens": run.corpus.n_tokens,
        "n_contexts": run.corpus.n_contexts,
    }


def _row(run: Run, latent: Latent, said: str | None) -> dict[str, Any]:
    numbers = {each.name: each.of(latent, run) for each in statistics_of(run)}
    return {
        "address": f"{run.dictionary}/{latent.index}",
        "index": latent.index,
        "statistics": numbers,
        "fires_on": latent.fires_on,
        "promotes": latent.promotes,
        "explanation": said,
    }


def _hit(hit: Any) -> dict[str, Any]:
    return {
        "address": hit.address,
        "explanation": hit.title,
        "density": hit.density,
        "max_activation": hit.max_activation,
        "fires_on": hit.fires_on,
        "promotes": hit.promotes,
        "found_in": list(dict.fromkeys(reason.kind for reason in hit.reasons)),
    }
