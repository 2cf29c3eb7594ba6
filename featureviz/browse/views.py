"""The pages: who may see it, what it is, how it looks."""

import secrets
from itertools import groupby

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from featureviz.browse.formats import THIN
from featureviz.browse.freshness import asks_again
from featureviz.browse.health_page import HealthPage
from featureviz.browse.latent_page import LatentPage
from featureviz.browse.lost import Lost
from featureviz.browse.sharing import Shared
from featureviz.browse.showcase import suggestions
from featureviz.browse.table.page import TablePage
from featureviz.browse.table.view import View, is_untidy
from featureviz.catalog.addresses import current_run, find_latent, readable_runs
from featureviz.catalog.models import Latent, Run
from featureviz.catalog.runs import progress
from featureviz.dashboards.health import read_health
from featureviz.dashboards.store import StoreError

_UNFINISHED = (Run.State.PLANNED, Run.State.RUNNING, Run.State.FAILED)


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """What is here."""
    unfinished = Run.objects.reachable().filter(published_at=None, state__in=_UNFINISHED)
    context = {
        "models": _by_model(_counted(readable_runs())),
        "suggestions": suggestions(),
        "unfinished": [
            {"run": run, "progress": progress(run)}
            for run in unfinished.select_related("dictionary__model")
        ],
    }
    return render(request, "browse/front.html", context)


@require_safe
def model(request: HttpRequest, model: str) -> HttpResponse:
    """The dictionaries of a model."""
    runs = [run for run in readable_runs() if run.dictionary.model.name == model]
    if not runs:
        raise Http404
    subject = runs[0].dictionary.model
    return render(request, "browse/model.html", {"model": subject, "runs": _counted(runs)})


@require_safe
def dictionary(request: HttpRequest, model: str, dictionary: str) -> HttpResponse:
    """A dictionary: its facts, and its latents as a table."""
    run = _run_or_404(model, dictionary)
    view = View.of(request.GET)
    if is_untidy(request.GET):  # a form's address becomes the view's own
        return redirect(f"{run.dictionary.get_absolute_url()}{view.query()}")
    return render(request, "browse/dictionary.html", {"run": run, "page": TablePage(run, view)})


@require_safe
def health(request: HttpRequest, model: str, dictionary: str) -> HttpResponse:
    """How well a dictionary stands for what it reads."""
    run = _run_or_404(model, dictionary)
    try:
        page = HealthPage(run, read_health(run.folder))
    except StoreError:
        page = None
    return render(request, "browse/health.html", {"run": run, "page": page, "thin": THIN})


@asks_again
@require_safe
def latent(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """A latent."""
    found = find_latent(model, dictionary, int(index))
    if found is None:
        raise Http404
    if str(found.index) != index:  # 0012
        return redirect(found, permanent=True)
    try:
        page = LatentPage.of(found, request.GET)
    except StoreError:
        return render(request, "browse/broken.html", {"run": found.run}, status=503)
    return render(request, "browse/latent.html", {"page": page, "shared": Shared(request, page)})


@require_safe
def row(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """One example of a latent, as its page draws it: the place comes as `ex`."""
    found = find_latent(model, dictionary, int(index))
    if found is None:
        raise Http404
    try:
        page = LatentPage.of(found, request.GET)
    except StoreError as error:
        raise Http404 from error
    if page.linked is None:
        raise Http404
    return render(request, "browse/row.html", {"page": page})


@never_cache
@require_safe
def random(request: HttpRequest, model: str, dictionary: str) -> HttpResponse:
    """Any latent that fires; the way pages are drawn is kept."""
    run = _run_or_404(model, dictionary)
    alive = Latent.objects.readable().filter(run=run).alive()
    count = alive.count()
    if not count:
        return redirect(run.dictionary)
    index = alive.values_list("index", flat=True)[secrets.randbelow(count)]
    return _to_latent(request, run, index)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A page that says what stands near the address."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": f"There is nothing at {request.path}."}, status=404)
    return render(request, "browse/not_found.html", {"lost": Lost.at(request.path)}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """A calm page for a defect; it needs neither the database nor the store."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": "Something broke here; its log says what."}, status=500)
    return render(request, "browse/broken.html", status=500)


def _run_or_404(model: str, dictionary: str) -> Run:
    run = current_run(model, dictionary)
    if run is None:
        raise Http404
    return run


def _to_latent(request: HttpRequest, run: Run, index: int) -> HttpResponse:
    query = request.GET.copy()
    query.pop("ex", None)
    address = reverse("latent", args=[run.dictionary.model.name, run.dictionary.name, index])
    return HttpResponseRedirect(f"{address}?{query.urlencode()}" if query else address)


def _counted(runs: list[Run]) -> list[dict[str, object]]:
    """Runs with how many of their latents never fired."""
    dead = Latent.objects.filter(run__in=runs).dead().values("run").annotate(count=Count("pk"))
    counts = {row["run"]: row["count"] for row in dead}
    return [{"run": run, "n_dead": counts.get(run.pk, 0)} for run in runs]


def _by_model(rows: list[dict[str, object]]) -> list[tuple[object, list[dict[str, object]]]]:
    grouped = groupby(rows, key=lambda row: row["run"].dictionary.model)  # type: ignore[attr-defined]
    return [(model, list(members)) for model, members in grouped]
