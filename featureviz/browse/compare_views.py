"""Latents side by side: the page and its record."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from featureviz.browse.asking import asked_now
from featureviz.browse.compare_page import ComparePage
from featureviz.catalog import questions
from featureviz.catalog.comparison import comparison_record
from featureviz.dashboards.store import StoreError


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two to four latents, or how to choose them."""
    page = ComparePage.of(request.GET)
    try:
        return render(request, "browse/compare.html", {"page": page})
    except StoreError:
        return render(request, "browse/broken.html", {"run": page.latents[0].run}, status=503)


@require_POST
def weights(request: HttpRequest) -> HttpResponse:
    """Ask a worker for the figures that need the weights; a quick one has them at once."""
    page = ComparePage.of(request.GET)
    lacking = [row.pair for row in page.rows if row.pair.lacks_weights] if page.is_whole else []
    try:
        asked = [pair.ask() for pair in lacking]
    except questions.TooMany:
        asked = []
    if asked:
        asked_now(asked[-1])
    return redirect(f"{reverse('compare')}{page.query()}")


@require_safe
def record(request: HttpRequest) -> JsonResponse:
    """The same as plain values."""
    page = ComparePage.of(request.GET)
    if page.lost:
        lost = ", ".join(each.typed for each in page.lost)
        return _json({"error": f"There is no latent at {lost}."}, 404)
    if not page.is_whole:
        return _json({"error": "Name two to four latents: ?a=M/D/i&b=M/D/j."}, 400)
    try:
        return _json({"answer": page.answer, **comparison_record(page.comparison)})
    except StoreError:
        return _json({"error": "The files of one of these runs are gone from the store."}, 503)


def _json(content: object, status: int = 200) -> JsonResponse:
    return JsonResponse(content, status=status, json_dumps_params={"ensure_ascii": False})
