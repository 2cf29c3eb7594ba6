"""The data behind the pages, as JSON."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from featureviz.annotate.record import whole_record
from featureviz.browse.health_page import health_record
from featureviz.catalog.addresses import current_run, find_latent
from featureviz.dashboards.store import StoreError


@require_safe
def feature(request: HttpRequest, model: str, dictionary: str, index: str) -> JsonResponse:
    """One latent's whole record."""
    latent = find_latent(model, dictionary, int(index))
    if latent is None:
        return _json({"error": f"There is no latent at {model}/{dictionary}/{index}."}, 404)
    try:
        return _json(whole_record(latent))
    except StoreError:
        again = f"python manage.py precompute --resume {latent.run.key[:8]}"
        return _json({"error": f"The run's files are gone from the store; `{again}`."}, 503)


@require_safe
def health(request: HttpRequest, model: str, dictionary: str) -> JsonResponse:
    """How well a dictionary stands for what it reads."""
    run = current_run(model, dictionary)
    if run is None:
        return _json({"error": f"There is no dictionary at {model}/{dictionary}."}, 404)
    try:
        return _json(health_record(run))
    except StoreError:
        return _json({"error": "This run measured no health; it is older than that."}, 404)


def _json(content: object, status: int = 200) -> JsonResponse:
    return JsonResponse(
        content, status=status, safe=False, json_dumps_params={"ensure_ascii": False}
    )
