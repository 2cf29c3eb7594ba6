"""What other sites show of a latent: a picture of its page, and a frame to put into a text."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlencode, urljoin

from django.conf import settings
from django.core.cache.backends.filebased import FileBasedCache
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from featureviz.browse import preview
from featureviz.browse.formats import activation, percent, whole
from featureviz.browse.latent_page import LatentPage
from featureviz.browse.security import policy
from featureviz.catalog.addresses import find_latent
from featureviz.catalog.models import Latent
from featureviz.dashboards.store import StoreError

PARTS = ("hist", "logits", "top")  # of a frame
THEMES = ("auto", "light", "dark")
_MOST_ROWS = 20
_DRAWN = 1  # goes up when the picture is drawn in another way
_MOST_PICTURES = 2000
_NEVER = "none"  # as the setting says that no site may show a frame


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame shows, as its address asks."""

    parts: tuple[str, ...] = PARTS
    n_rows: int = 5
    theme: str = "auto"

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read an address; what is not understood is the default."""
        several = query.getlist("show") if isinstance(query, QueryDict) else [query.get("show", "")]
        asked = ",".join(several).split(",")  # a form sends one by one
        rows, theme = query.get("n", ""), query.get("theme", "")
        known = rows.isascii() and rows.isdigit() and len(rows) < 4
        return cls(
            parts=tuple(part for part in PARTS if part in asked) or PARTS,
            n_rows=min(_MOST_ROWS, max(1, int(rows))) if known else 5,
            theme=theme if theme in THEMES else "auto",
        )

    def has(self, part: str) -> bool:
        """Whether it shows a part."""
        return part in self.parts


@dataclass(frozen=True, slots=True)
class Shared:
    """A latent's page as others refer to it: whole addresses, a title, a sentence, a snippet."""

    request: HttpRequest
    page: LatentPage

    @property
    def decided_by(self) -> Hashable | None:
        """What decides how all of it is drawn; none where what a reader typed does."""
        named_by = self.page.named_by
        return None if named_by is None else (self._site, named_by)

    @property
    def address(self) -> str:
        """Of the page."""
        return self._whole(self.page.latent.get_absolute_url(), self._end)

    @property
    def path(self) -> str:
        """Of the page, without its query."""
        return self._whole(self.page.latent.get_absolute_url(), {})

    @property
    def picture(self) -> str:
        """Of the preview."""
        return self._named("preview", self._end)

    @property
    def frame(self) -> str:
        """Of the frame, without its switches."""
        return self._named("embed", self._end)

    @property
    def title(self) -> str:
        """What is shown, in a few words."""
        tokens = " ".join(firing.text.strip() for firing in self.page.fires_on[:3])
        fires = f"fires on {tokens}" if tokens else "never fired"
        return f"{self.page.latent}: {fires}"

    @property
    def summary(self) -> str:
        """Its numbers, in a sentence."""
        board = self.page.dashboard
        if not board.n_active:
            return f"Active on none of {whole(board.n_tokens)} tokens."
        promoted = [weight.text.strip() for form in self.page.logit_forms[:1]
                    for weight in form.promoted[:3]]  # fmt: skip
        extreme = (self.page.ends.shown.extreme if self.page.ends else "maximum").lower()
        return (
            f"Active on {whole(board.n_active)} of {whole(board.n_tokens)} tokens "
            f"({percent(board.density)}), {extreme} activation "
            f"{activation(board.max_activation, board.max_activation)}."
            + (f" Promotes {', '.join(promoted)}." if promoted else "")
        )

    @property
    def _end(self) -> dict[str, str]:
        return {"end": "neg"} if self.page.switches.end == "neg" and self.page.ends else {}

    def _named(self, name: str, query: Mapping[str, str]) -> str:
        dictionary = self.page.run.dictionary
        path = [dictionary.model.name, dictionary.name, self.page.latent.index]
        return self._whole(reverse(name, args=path), query)

    def _whole(self, path: str, query: Mapping[str, str]) -> str:
        return urljoin(self._site, path) + (f"?{urlencode(query)}" if query else "")

    @property
    def _site(self) -> str:
        return settings.FEATUREVIZ_ADDRESS or self.request.build_absolute_uri("/")


@xframe_options_exempt
@require_safe
def embed(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """A latent without the site around it, for a frame in another page."""
    page = _page_or_404(request, model, dictionary, index)
    frame = Frame.of(request.GET)
    top = page.groups[0].rows[: frame.n_rows] if page.groups else ()
    context = {"page": page, "frame": frame, "top": top, "shared": Shared(request, page)}
    reply = render(request, "browse/embed.html", context)
    reply.headers["Content-Security-Policy"] = policy(ancestors())
    if settings.FEATUREVIZ_EMBED_ANCESTORS == [_NEVER]:
        reply.headers["X-Frame-Options"] = "DENY"
    return reply


@cache_control(private=True, max_age=86400)  # who may see it is asked of each reader
@require_safe
def picture(request: HttpRequest, model: str, dictionary: str, index: str) -> HttpResponse:
    """The preview of a latent's page, drawn once for each run."""
    page = _page_or_404(request, model, dictionary, index)
    cache = _pictures()
    key = f"{_DRAWN}-{page.run.key}-{page.latent.index}-{page.switches.end}-{page.logit_form}"
    drawn = cache.get(key)
    if drawn is None:
        drawn = preview.draw(page)
        cache.set(key, drawn)
    return HttpResponse(drawn, content_type="image/png")


def ancestors() -> str:
    """The sites that may show a frame, as a policy names them."""
    named = settings.FEATUREVIZ_EMBED_ANCESTORS
    return "'none'" if named == [_NEVER] else " ".join(named)


def _page_or_404(request: HttpRequest, model: str, dictionary: str, index: str) -> LatentPage:
    found: Latent | None = find_latent(model, dictionary, int(index))
    if found is None:
        raise Http404
    try:
        return LatentPage.of(found, request.GET)
    except StoreError as error:
        raise Http404 from error


def _pictures() -> FileBasedCache:
    folder = Path(settings.FEATUREVIZ_DATA) / "previews"
    options = {"TIMEOUT": None, "OPTIONS": {"MAX_ENTRIES": _MOST_PICTURES}}
    return FileBasedCache(str(folder), options)
