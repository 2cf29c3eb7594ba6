"""The report of a rating session, as a page and as files."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from featureviz.annotate import rubric
from featureviz.annotate.rating_models import RatingSession
from featureviz.browse.rating_report import Report
from featureviz.browse.refusals import refused


@never_cache
@require_safe
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """What was found; before the session is closed, nothing."""
    session = _or_404(pk)
    if session.closed_at is None:
        return refused(request, "The report opens when the session is closed.")
    context = {
        "session": session,
        "report": Report(session),
        "points": range(rubric.MOST + 1),
        "quite": rubric.QUITE,
    }
    return render(request, "people/rating_report.html", context)


@never_cache
@require_safe
def data(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """The report as CSV or JSON."""
    session = _or_404(pk)
    if form not in ("csv", "json"):
        raise Http404
    if session.closed_at is None:
        return refused(request, "The report opens when the session is closed.")
    found = Report(session)
    if form == "json":
        return JsonResponse(found.as_json(), json_dumps_params={"ensure_ascii": False})
    reply = HttpResponse(found.as_csv(), content_type="text/csv; charset=utf-8")
    reply.headers["Content-Disposition"] = f'attachment; filename="ratings-{session.pk}.csv"'
    return reply


def _or_404(pk: int) -> RatingSession:
    found = RatingSession.objects.readable()
    return get_object_or_404(found.select_related("workspace", "created_by", "closed_by"), pk=pk)
