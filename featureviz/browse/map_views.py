"""The map of a dictionary: the page, its points as data, its picture."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from featureviz.browse.map_page import MapPage, map_record, map_svg
from featureviz.catalog.addresses import current_run

_NONE_YET = "This dictionary has no map yet; its page asks a worker for one."


@require_safe
def page(request: HttpRequest, model: str, dictionary: str) -> HttpResponse:
    """The map, or how it comes about: reading it asks for it, once a run."""
    found = _page(request, model, dictionary)
    if found.map is None and found.asked.is_answered:  # by a worker that is quick
        found = _page(request, model, dictionary)
    name = "browse/map.html" if found.map else "browse/map_waits.html"
    return render(request, name, {"page": found, "run": found.run})


@require_safe
def points(request: HttpRequest, model: str, dictionary: str) -> JsonResponse:
    """Every point with its numbers."""
    found = _page(request, model, dictionary)
    if found.map is None:
        return JsonResponse({"error": _NONE_YET}, status=404)
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    return JsonResponse(map_record(found), json_dumps_params=compact)


@require_safe
def picture(request: HttpRequest, model: str, dictionary: str) -> HttpResponse:
    """The plot for pages without scripts, and until the script has drawn it."""
    found = _page(request, model, dictionary)
    if found.map is None:
        raise Http404
    return HttpResponse(map_svg(found), content_type="image/svg+xml")


def _page(request: HttpRequest, model: str, dictionary: str) -> MapPage:
    run = current_run(model, dictionary)
    if run is None:
        raise Http404
    return MapPage.of(run, request.GET)
