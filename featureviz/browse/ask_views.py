"""What readers ask of workers: all effects of a latent, and the latents of a text."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from featureviz.browse.asking import Asked
from featureviz.browse.by_text import ByText
from featureviz.browse.effects import n_without_effects
from featureviz.browse.typed_text import address_of
from featureviz.catalog import questions
from featureviz.catalog.addresses import find_latent, readable_runs
from featureviz.catalog.models import Latent, Question
from featureviz.dashboards.store import StoreError


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def effects(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """Ask for the ablation effects a run left out, and wait for them."""
    latent = _latent_or_404(model, dictionary, index)
    if request.method == "POST":
        return _ask_effects(request, latent)
    try:
        missing = n_without_effects(latent.run.dashboard(latent.index))
    except StoreError:
        return render(request, "browse/broken.html", {"run": latent.run}, status=503)
    found = questions.lookup(latent.run, Question.Kind.EFFECTS, index=latent.index)
    context = {"latent": latent, "missing": missing, "asked": Asked(found) if found else None}
    return render(request, "browse/ask_effects.html", context)


@csrf_exempt  # it changes nothing that a link could not: an address with ?text= asks the same
@require_POST
def own_text(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """Keep a text too long for an address, and go to the latent with it."""
    latent = _latent_or_404(model, dictionary, index)
    text = request.POST.get("text", "")
    address = reverse("latent", args=[model, dictionary, latent.index])
    if not text.strip():
        return redirect(address)
    try:
        asked = questions.ask(
            latent.run,
            Question.Kind.TEXT,
            index=latent.index,
            text=text.replace("\r\n", "\n"),
        )
    except questions.TooMany:
        return redirect(f"{address}#own-text")
    switches = [(name, value) for name, value in request.GET.items() if name != "text"]
    return redirect(f"{address}?{urlencode([*switches, ('text', address_of(asked))])}#own-text")


@never_cache
@require_safe
def by_text(request: HttpRequest) -> HttpResponse:
    """The latents most active on a text."""
    return render(request, "browse/by_text.html", {"page": ByText.of(request.GET, readable_runs())})


def _ask_effects(request: HttpRequest, latent: Latent) -> HttpResponse:
    try:
        asked = questions.ask(latent.run, Question.Kind.EFFECTS, index=latent.index)
    except questions.TooMany:
        context = {"latent": latent, "missing": 1, "asked": Asked(None)}
        return render(request, "browse/ask_effects.html", context, status=503)
    if asked.state == Question.State.ANSWERED:  # and its file is gone, or we would not be here
        questions.again(asked)
        questions.ask(latent.run, Question.Kind.EFFECTS, index=latent.index)
    return redirect(request.path)


def _latent_or_404(model: str, dictionary: str, index: str) -> Latent:
    latent = find_latent(model, dictionary, int(index))
    if latent is None:
        raise Http404
    return latent
