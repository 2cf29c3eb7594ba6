"""The pages of runs: what is computed, how far it is, what went wrong; cancel and resume.

Nothing of a run's latents is shown here; a reader finds them once the run is published.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from featureviz.browse.controls import may_control
from featureviz.browse.run_status import SHOWN_KEY, RunStatus
from featureviz.catalog import relations, runs
from featureviz.catalog.claims import ACTIVE
from featureviz.catalog.models import Run
from featureviz.celery import enqueue


@never_cache
@require_safe
def every(request: HttpRequest) -> HttpResponse:
    """All runs, newest first."""
    found = Run.objects.reachable().select_related("dictionary__model", "corpus")
    return render(request, "browse/runs.html", {"rows": [RunStatus(run) for run in found]})


@never_cache
@require_safe
def one(request: HttpRequest, key: str) -> HttpResponse:
    """A run: where it stands, what decides its bytes, where it comes from."""
    return render(request, "browse/run.html", _context(request, _run_or_404(key)))


@never_cache
@require_safe
def live(request: HttpRequest, key: str) -> HttpResponse:
    """The part of a run's page that moves."""
    return render(request, "browse/_run_live.html", _context(request, _run_or_404(key)))


@require_POST
def cancel(request: HttpRequest, key: str) -> HttpResponse:
    """Stop a run; what is done is kept."""
    run = _run_or_404(key)
    if not may_control(request, run):
        return _refused(request, run)
    try:
        runs.cancel(run)
    except runs.CatalogError:
        messages.info(request, "This run is done; there is nothing to cancel.")
    else:
        messages.info(request, "Cancelled. What is done is kept; its workers stop within seconds.")
    return redirect("run", run.key[:SHOWN_KEY])


@require_POST
def resume(request: HttpRequest, key: str) -> HttpResponse:
    """Let the workers go on with a run."""
    run = _run_or_404(key)
    if not may_control(request, run):
        return _refused(request, run)
    if run.state in ACTIVE:
        messages.info(request, "This run goes on already.")
    elif (run := runs.resume(run)).published_at and not relations.are_unfinished(run):
        messages.info(request, "This run is done; there is nothing left to do.")
    elif not run.problem:
        messages.info(request, "Resumed. It goes on from what is done.")
    enqueue("precompute.work")  # one message more or less changes nothing
    return redirect("run", run.key[:SHOWN_KEY])


def _context(request: HttpRequest, run: Run) -> dict[str, object]:
    return {"status": RunStatus(run), "run": run, "may_control": may_control(request, run)}


def _refused(request: HttpRequest, run: Run) -> HttpResponse:
    return render(request, "browse/run_refused.html", {"status": RunStatus(run)}, status=403)


def _run_or_404(key: str) -> Run:
    try:
        run = runs.find(key)
    except runs.CatalogError as error:
        raise Http404(str(error)) from error
    reachable = Run.objects.reachable().select_related("dictionary__model", "corpus")
    return get_object_or_404(reachable, pk=run.pk)
