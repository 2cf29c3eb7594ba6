"""A latent as a picture of 1200 × 630: what a link to its page shows where people post it.

Only fonts of this machine are used. A text that none of them can write is given by its code
points, never as empty boxes.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont, features

from featureviz.browse.formats import activation, one_in, percent, signed, whole
from featureviz.browse.latent_page import LatentPage
from featureviz.browse.logits import LogitForm, Weight
from featureviz.dashboards.schema import Histogram
from featureviz.dashboards.text import main_script, script_of, visible

WIDTH, HEIGHT = 1200, 630
_MARGIN = 56
_PAPER, _SUNK, _RULE = "#fbfbf9", "#f0f0ec", "#c9c9c3"
_INK, _INK_2, _INK_3 = "#1b1c1f", "#4c4f56", "#686b73"
_AMBER, _HELP, _HURT = "#fab158", "#1a56db", "#b4123a"
_SHOWN = 6  # tokens on either side of the logit weights
_FOLDER = Path("/usr/share/fonts")
_PLAIN = (
    "truetype/noto/NotoSans-Regular.ttf",
    "truetype/dejavu/DejaVuSans.ttf",
    "truetype/noto/NotoSansArabic-Regular.ttf",
    "truetype/noto/NotoSansHebrew-Regular.ttf",
    "truetype/noto/NotoSansDevanagari-Regular.ttf",
    "truetype/noto/NotoSansThai-Regular.ttf",
    "truetype/noto/NotoSansBengali-Regular.ttf",
    "truetype/noto/NotoSansTamil-Regular.ttf",
    "truetype/noto/NotoSansMath-Regular.ttf",
    "truetype/noto/NotoSansSymbols2-Regular.ttf",
    "opentype/noto/NotoSansCJK-Regular.ttc",
)
_BOLD = ("truetype/noto/NotoSans-Bold.ttf", "truetype/dejavu/DejaVuSans-Bold.ttf")
_BUILT_IN = ""  # Pillow's own font
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs"}  # categories of characters that show nothing alone
_NOWHERE = "\U0010fffe"  # a character no font has


def draw(page: LatentPage) -> bytes:
    """The picture of a latent's page, as PNG."""
    sheet = _Sheet(Image.new("RGB", (WIDTH, HEIGHT), _PAPER))
    sheet.head(page)
    if page.dashboard.n_active:
        sheet.facts(page)
        sheet.histogram(page.dashboard.histogram, page.dashboard.max_activation)
    if page.logit_forms:
        form = next(form for form in page.logit_forms if form.name == page.logit_form)
        sheet.logits(form)
    return sheet.png()


def written(text: str) -> str:
    """A text in characters that can be drawn here, else its code points."""
    return text if font_for(text) is not None else " ".join(f"U+{ord(char):04X}" for char in text)


def font_for(text: str, names: Sequence[str] = _PLAIN) -> str | None:
    """The first font that has every character of a text; none when no font can write it."""
    is_shaped = any(map(_is_shaped, text)) and not features.check("raqm")
    if is_shaped or all(unicodedata.category(char) in _UNSEEN for char in text):
        return None
    found = (name for name in [*names, _BUILT_IN] if all(_has(name, char) for char in text))
    return next(found, None)


class _At(NamedTuple):
    """Where a line is written, and in which fonts."""

    x: float
    y: float  # of its middle
    share: float = 0.0  # of the line that lies left of x
    names: Sequence[str] = _PLAIN


_MIDDLE, _END = 0.5, 1.0


@dataclass(frozen=True)
class _Sheet:
    """The picture while it is drawn."""

    image: Image.Image

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def head(self, page: LatentPage) -> None:
        self._mark(_MARGIN, 44)
        self.say(_At(_MARGIN + 42, 62), str(page.latent), 26, _INK_2)
        self.say(_At(WIDTH - _MARGIN, 62, _END), str(page.run.dictionary.hook), 22, _INK_3)
        title = "Fires on" if page.dashboard.n_active else "Never fired"
        right = self.say(_At(_MARGIN, 128, names=_BOLD), title, 46, _INK) + 22
        for firing in page.fires_on[:4]:
            if right > WIDTH - 2 * _MARGIN:
                break
            right = self.chip(right, 128, firing.text, 40, WIDTH - _MARGIN - right) + 14

    def facts(self, page: LatentPage) -> None:
        board = page.dashboard
        top = activation(board.max_activation, board.max_activation)
        told = (
            (
                "Density",
                percent(board.density),
                f"{whole(board.n_active)} of {whole(board.n_tokens)}",
            ),
            ("Fires", one_in(board.density), f"in {whole(board.n_active_contexts)} contexts"),
            (page.ends.shown.extreme if page.ends else "Maximum", top, "activation"),
        )
        for column, (name, value, more) in enumerate(told):
            left = _MARGIN + 196 * column
            self.say(_At(left, 208), name, 20, _INK_3)
            self.say(_At(left, 242), value, 32, _INK)
            self.say(_At(left, 276), more, 18, _INK_3)

    def histogram(self, histogram: Histogram, top: float) -> None:
        left, base, width, height = _MARGIN, 552, 540, 212
        scale = math.log1p(max(histogram.counts))
        step = width / len(histogram.counts)
        for bin_, count in enumerate(histogram.counts):
            tall = max(2.0, height * math.log1p(count) / scale) if count else 0
            box = (left + bin_ * step, base - tall, left + (bin_ + 1) * step - 2, base)
            if count:
                self.pen.rectangle(box, _AMBER)
        self.pen.line((left, base + 1, left + width, base + 1), _RULE, 2)
        edges = histogram.edges
        self.say(_At(left, base + 22), activation(edges[0], top), 20, _INK_3)
        middle = left + width / 2
        self.say(_At(middle, base + 22, _MIDDLE), "activation, log count", 20, _INK_3)
        end = activation(edges[-1], top)
        self.say(_At(left + width, base + 22, _END), end, 20, _INK_3)

    def logits(self, form: LogitForm) -> None:
        longest = form.longest or 1.0
        sides = (("Suppresses", form.suppressed, _HURT), ("Promotes", form.promoted, _HELP))
        for column, (name, weights, colour) in enumerate(sides):
            left = 652 + 256 * column
            self.say(_At(left, 208), name, 20, _INK_3)
            for rank, weight in enumerate(weights[:_SHOWN]):
                self._weight(left, 246 + 55 * rank, weight, weight.value / longest, colour)

    def _weight(self, left: int, middle: int, weight: Weight, share: float, colour: str) -> None:
        width = 236
        self.chip(left, middle, weight.text, 24, 138)
        self.say(_At(left + width, middle, _END), signed(weight.value, 2), 22, _INK)
        long = abs(share) * width
        self.pen.rectangle((left, middle + 21, left + long, middle + 24), colour)

    def chip(self, left: float, middle: float, token: str, size: int, room: float) -> float:
        """A token on grey, shortened to the room there is; its right end."""
        shown = visible(token)
        blanks = len(shown) - len(shown.lstrip(" "))
        text = "␣" * blanks + written(shown.strip(" ") or "␣" * (not blanks))
        while len(text) > 1 and self._width(text, size) > room - 16:
            text = text.rstrip("…")[:-1] + "…"
        right = left + self._width(text, size) + 16
        half = size * 0.72
        self.pen.rounded_rectangle((left, middle - half, right, middle + half), 6, _SUNK)
        self.say(_At(left + 8, middle), text, size, _INK)
        return right

    def say(self, at: _At, text: str, size: int, colour: str) -> float:
        """Write a line; its right end."""
        x, y, share, names = at.x, at.y, at.share, at.names
        left = x - self._width(text, size, names) * share
        for part, font in _parts(text, size, names):
            self.pen.text((left, y), part, colour, font, "lm", **_direction(part))
            left += font.getlength(part, **_direction(part))
        return left

    def png(self) -> bytes:
        kept = BytesIO()
        self.image.quantize(64).save(kept, "PNG", optimize=True)
        return kept.getvalue()

    def _width(self, text: str, size: int, names: Sequence[str] = _PLAIN) -> float:
        parts = _parts(text, size, names)
        return float(sum(font.getlength(part, **_direction(part)) for part, font in parts))

    def _mark(self, left: int, top: int) -> None:
        for step, colour in enumerate(("#fae3b9", "#f9c780", "#fb9a23")):
            self.pen.rectangle((left + 11 * step, top, left + 11 * step + 8, top + 34), colour)


def _parts(text: str, size: int, names: Sequence[str]) -> Iterable[tuple[str, _Font]]:
    """A line in pieces of one font each: whole where one has it all, else ␣ and … apart."""
    name = font_for(text, names)
    if name is not None:
        return [(text, _font(name, size))]
    pieces = [text[: len(text) - len(text.lstrip("␣"))], text.strip("␣…"), "…" * text.endswith("…")]
    return [(piece, _font(font_for(piece) or _BUILT_IN, size)) for piece in pieces if piece]


def _direction(text: str) -> dict[str, Any]:
    return {"direction": main_script(text).direction} if features.check("raqm") else {}


def _is_shaped(char: str) -> bool:
    """Whether a character cannot be drawn one by one, from left to right."""
    script = script_of(char)
    return script is not None and (script.joined or script.direction == "rtl")


_Font = ImageFont.FreeTypeFont


@lru_cache(maxsize=256)
def _font(name: str, size: int) -> _Font:
    if name == _BUILT_IN:
        return ImageFont.load_default(size)  # type: ignore[return-value]
    return ImageFont.truetype(_FOLDER / name, size)


@lru_cache(maxsize=1 << 14)
def _has(name: str, char: str) -> bool:
    if name != _BUILT_IN and not (_FOLDER / name).exists():
        return False
    font = _font(name, 20)
    return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask(_NOWHERE))
