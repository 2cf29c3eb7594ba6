"""The pages of rating sessions: made, rated one latent a page, closed, reported."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from featureviz.annotate import ratings, sessions
from featureviz.annotate.rating_models import RatedLatent, RatingSession, is_rater
from featureviz.annotate.roles import may
from featureviz.annotate.sessions import Asked
from featureviz.annotate.texts import AnnotateError
from featureviz.browse.explanation_pages import back, latent_or_404
from featureviz.browse.rating_page import RatingPage, answers_of
from featureviz.browse.rating_session import Offer, SessionPage, offers
from featureviz.browse.refusals import person, refused
from featureviz.catalog.models import Workspace
from featureviz.catalog.permissions import Action
from featureviz.dashboards.store import StoreError

_NO_RATER = "You are not among the raters of this session."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def every(request: HttpRequest) -> HttpResponse:
    """The sessions a person sees; a form for a new one."""
    if request.method == "POST":
        return _create(request)
    found = RatingSession.objects.readable().select_related("workspace", "created_by")
    context = {
        "sessions": found.filter(is_blind=True),
        "own": found.filter(is_blind=False, created_by=request.user.pk or 0),
        "offers": offers(person(request)) if request.user.is_authenticated else [],
        "most_latents": sessions.MOST_LATENTS,
    }
    return render(request, "people/rating_sessions.html", context)


@never_cache
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """A session: how far its raters are."""
    session = _or_404(pk)
    context = {"session": session, "page": SessionPage(session, request.user)}
    return render(request, "people/rating_session.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rate(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The form for one latent of a session."""
    session = _or_404(pk)
    latent = get_object_or_404(session.latents.select_related("session"), number=number)
    if settings.FEATUREVIZ_ACCOUNTS and not request.user.is_authenticated:
        return redirect_to_login(request.path)
    if not may(Action.RATE, session) or not is_rater(session, person(request)):
        return refused(request, _NO_RATER)
    page = _page(request, latent)
    try:
        if request.method == "POST":
            return _keep(request, page)
        context = {"session": session, "page": page, "shown": SessionPage(session, request.user)}
        return render(request, "people/rate.html", context)
    except StoreError as error:
        raise Http404 from error


@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """End the rating and tell the sources."""
    session = _or_404(pk)
    if not may(Action.MANAGE, session):
        return refused(request, "Your role here does not close this session.")
    sessions.close(session, person(request))
    return redirect("rating-report", session.pk)


@require_POST
def begin(request: HttpRequest, **address: str) -> HttpResponse:
    """Rate one latent from its page, knowing what it is."""
    latent = latent_or_404(**address)
    if not may(Action.RATE, latent.run.dictionary.workspace):
        return refused(request, "Your role here rates no latents.")
    is_negative = request.POST.get("end") == "neg"
    try:
        session = sessions.of_one(latent, person(request), is_negative=is_negative)
    except AnnotateError as error:
        messages.error(request, str(error))
        return back(request, latent, "marks")
    return redirect("rate", session.pk, 1)


def _create(request: HttpRequest) -> HttpResponse:
    found = Workspace.objects.reachable().filter(slug=request.POST.get("workspace", ""))
    workspace = get_object_or_404(found)
    if not may(Action.RATE, workspace):
        return refused(request, "Your role here makes no rating sessions.")
    try:
        asked = _asked(request.POST, Offer(workspace, person(request)))
        return redirect(sessions.create(asked, person(request)))
    except AnnotateError as error:
        messages.error(request, str(error))
        return redirect("rating-sessions")


def _asked(form: QueryDict, offer: Offer) -> Asked:
    names, dictionaries = form.getlist("rater"), form.getlist("dictionary")
    return Asked(
        name=form.get("name", ""),
        seed=_number(form, "seed"),
        workspace=offer.workspace,
        dictionaries=[each for each in offer.dictionaries if str(each.pk) in dictionaries],
        count=_number(form, "count"),
        raters=[each for each in offer.raters if each.get_username() in names],
    )


def _number(form: QueryDict, name: str) -> int:
    typed = form.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 11 else -1


def _page(request: HttpRequest, latent: RatedLatent) -> RatingPage:
    run = latent.run()
    if run is None:
        raise Http404
    return RatingPage(latent, run, ratings.rating_of(latent, person(request)))


def _keep(request: HttpRequest, page: RatingPage) -> HttpResponse:
    """Keep what was answered, and lock it if that is asked for."""
    rater, latent, form = person(request), page.latent, request.POST
    if form.get("do") == "autosave":
        return _autosave(page, rater, form)
    is_last = form.get("do") == "submit"
    try:
        if is_last and form.get("none") == "on":
            ratings.submit_none(latent, rater, page.asked)
        else:
            answers = answers_of(form)
            ratings.keep(latent, rater, answers)
            if is_last:
                ratings.submit(latent, rater, answers, page.asked)
    except AnnotateError as error:
        messages.error(request, str(error))
        return redirect("rate", latent.session_id, latent.number)
    if not is_last:
        return redirect("rate", latent.session_id, latent.number)
    following = SessionPage(latent.session, rater).next_number
    if following is None:
        return redirect(latent.session)
    return redirect("rate", latent.session_id, following)


def _autosave(page: RatingPage, rater: User, form: QueryDict) -> HttpResponse:
    """A draft that a script sends: no message, as nobody would see it in time."""
    try:
        ratings.keep(page.latent, rater, answers_of(form))
    except AnnotateError:
        return HttpResponse(status=409)
    return HttpResponse(status=204)


def _or_404(pk: int) -> RatingSession:
    found = RatingSession.objects.readable().select_related("workspace", "created_by")
    return get_object_or_404(found, pk=pk)
