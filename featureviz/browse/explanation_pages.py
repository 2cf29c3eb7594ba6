"""Writing explanations: every act is a form of the latent's page, and leads back to it."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from featureviz.annotate import explanations
from featureviz.annotate.differences import differences
from featureviz.annotate.explanations import CollisionError, Signature
from featureviz.annotate.models import Explanation
from featureviz.annotate.roles import may
from featureviz.annotate.texts import AnnotateError
from featureviz.annotate.traces import Traces
from featureviz.browse.explanations import ExplanationsPanel
from featureviz.browse.refusals import person, refused
from featureviz.catalog.addresses import find_latent
from featureviz.catalog.models import Latent
from featureviz.catalog.permissions import Action

SAVED = "saved"  # a cookie that tells the page which draft is kept now


@require_POST
def write(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """Add an explanation."""
    latent = latent_or_404(model, dictionary, index)
    if not may(Action.EXPLAIN, latent):
        return refused(request, "Your role here does not write explanations.")
    by = Signature(person(request))
    try:
        written = explanations.write(
            latent.run.dictionary, latent.index, request.POST.get("text", ""), by
        )
    except AnnotateError as error:
        messages.error(request, str(error))
        return back(request, latent, "explanations")
    return saved(request, back(request, latent, f"explanation-{written.pk}"))


@never_cache
@require_safe
def history(request: HttpRequest, pk: int, **address: str) -> HttpResponse:
    """All versions of an explanation, each with what it changed."""
    latent, explanation = _found(pk, **address)
    versions = list(explanation.versions.select_related("author"))
    befores = ["", *(each.text for each in versions)]
    befores[0] = versions[0].text
    changes = [
        (each, differences(before, each.text))
        for each, before in zip(versions, befores, strict=False)
    ]
    context = {
        "latent": latent,
        "explanation": explanation,
        "changes": changes[::-1],
        "may_edit": may(Action.EDIT, explanation),
    }
    return render(request, "people/history.html", context)


@require_POST
def act(request: HttpRequest, pk: int, act: str, **address: str) -> HttpResponse:
    """Change an explanation, or what the page makes of it."""
    latent, explanation = _found(pk, **address)
    if act not in _ACTS:
        raise Http404
    action, do = _ACTS[act]
    if not may(action, explanation):
        return refused(request, "Your role here does not allow this.")
    try:
        do(explanation, request.POST, Signature(person(request)))
    except CollisionError as collision:
        return _collided(request, latent, collision)
    except AnnotateError as error:
        messages.error(request, str(error))
        return back(request, latent, f"explanation-{pk}")
    anchor = "explanations" if act == "withdraw" else f"explanation-{pk}"
    return saved(request, back(request, latent, anchor))


@require_safe
def card(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """A latent in a few lines, for whoever points at a link to it."""
    latent = latent_or_404(model, dictionary, index)
    context = {"latent": latent, "panel": ExplanationsPanel(latent, Traces.on(latent))}
    return render(request, "people/_card.html", context)


def latent_or_404(model: str, dictionary: str, index: str) -> Latent:
    """The latent at an address. Raises: Http404, also where it may not be read."""
    latent = find_latent(model, dictionary, int(index))
    if latent is None:
        raise Http404
    return latent


def back(request: HttpRequest, latent: Latent, anchor: str) -> HttpResponse:
    """To the latent's page, drawn as it was left."""
    query = urlsplit(request.headers.get("Referer", "")).query
    address = latent.get_absolute_url()
    return HttpResponseRedirect(f"{address}{'?' if query else ''}{query}#{anchor}")


def saved(request: HttpRequest, reply: HttpResponse) -> HttpResponse:
    """Let the page forget the draft of what is kept now."""
    if draft := request.POST.get("draft", ""):
        reply.set_cookie(SAVED, draft[:200], max_age=60, samesite="Strict")
    return reply


def _found(pk: int, **address: str) -> tuple[Latent, Explanation]:
    latent = latent_or_404(**address)
    of_latent = Explanation.objects.of(latent.run.dictionary, latent.index)
    explanation = get_object_or_404(of_latent, pk=pk)
    explanation.dictionary = latent.run.dictionary
    if explanation.withdrawn_at and not may(Action.WITHDRAW, explanation):
        raise Http404
    return latent, explanation


def _collided(request: HttpRequest, latent: Latent, collision: CollisionError) -> HttpResponse:
    context = {
        "latent": latent,
        "standing": collision.standing,
        "written": collision.text,
        "pieces": differences(collision.standing.text, collision.text),
        "last": collision.standing.versions.select_related("author").last(),
        "action": reverse(
            "explanation-act",
            args=[*_names(latent), collision.standing.pk, "edit"],
        ),
        "draft": request.POST.get("draft", ""),
    }
    return render(request, "people/collision.html", context, status=409)


def _names(latent: Latent) -> list[object]:
    dictionary = latent.run.dictionary
    return [dictionary.model.name, dictionary.name, latent.index]


def _number(asked: QueryDict, name: str) -> int:
    typed = asked.get(name, "")
    if typed.isascii() and typed.isdigit() and len(typed) < 10:
        return int(typed)
    raise Http404


def _edit(explanation: Explanation, asked: QueryDict, by: Signature) -> None:
    text, version = asked.get("text", ""), _number(asked, "version")
    explanations.edit(explanation, text, by, version=version)


def _restore(explanation: Explanation, asked: QueryDict, by: Signature) -> None:
    number = _number(asked, "number")
    if not explanation.versions.filter(number=number).exists():
        raise Http404
    explanations.restore(explanation, number, by, version=_number(asked, "version"))


def _vote(explanation: Explanation, asked: QueryDict, by: Signature) -> None:
    agrees = {"yes": True, "no": False}.get(asked.get("agree", ""))
    if by.author:
        explanations.vote(explanation, by.author, agrees)


_Act = Callable[[Explanation, QueryDict, Signature], None]
_ACTS: dict[str, tuple[Action, _Act]] = {
    "edit": (Action.EDIT, _edit),
    "restore": (Action.EDIT, _restore),
    "vote": (Action.VOTE, _vote),
    "pin": (Action.PIN, lambda explanation, *_: explanations.pin(explanation)),
    "unpin": (Action.PIN, lambda explanation, *_: explanations.unpin(explanation)),
    "withdraw": (Action.WITHDRAW, lambda explanation, *_: explanations.withdraw(explanation)),
    "take-back": (Action.WITHDRAW, lambda explanation, *_: explanations.take_back(explanation)),
}
