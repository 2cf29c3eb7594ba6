"""How a reader wants a page drawn; every switch is in the address, defaults are left out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Self
from urllib.parse import urlencode

OWN_SCALE, SHARED_SCALE = "own", "all"
OWN = "re:"  # before a regular expression of the reader's own
_LONGEST_CLASS = 1000  # characters of an address
_LONGEST_TEXT = 4000
_LONGEST_NUMBER = 20  # likewise

VALUES = {
    "view": ("line", "4", "16", "whole"),
    "num": ("off", "on"),
    "br": ("off", "on"),
    "sp": ("off", "on"),
    "y": ("linear", "log"),
    "logits": ("normalised", "raw"),
    "under": ("total", "direct", "off"),
    "fx": ("usual", "swap"),
    "end": ("pos", "neg"),
}


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches of a latent's page; the first value of each is its default."""

    view: str = "line"  # how much of a context a row shows
    num: str = "off"  # activations printed after their tokens
    br: str = "off"  # real line breaks
    sp: str = "off"  # spaces drawn as ·
    y: str = "linear"  # the histogram's count axis
    logits: str = "normalised"  # the form of the logit weights
    under: str = "total"  # the ablation effect that is underlined
    fx: str = "usual"  # its colours: blue helps, red hurts; or the other way round
    end: str = "pos"  # of a signed latent
    scale: str = OWN_SCALE  # the activation of the strongest colour: own, all, or a number
    kind: str = ""  # `class` in addresses: the class of tokens it is held against
    text: str = ""  # the reader's own, or where it is kept

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read an address; what is not understood is the default."""
        asked = {name: query.get(name, "") for name in VALUES}
        known = {name: value for name, value in asked.items() if value in VALUES[name]}
        text = query.get("text", "")[:_LONGEST_TEXT]
        return cls(
            **known,
            scale=_asked_scale(query),
            kind=asked_class(query),
            text=text if text.strip() else "",
        )

    def query(self, **changes: str) -> str:
        """The part of an address after its path, with changes: `?view=16`, or nothing."""
        return _query(self, **changes)

    def pairs(self, **changes: str) -> list[tuple[str, str]]:
        """Names and values of an address, with changes; defaults are left out."""
        changed = replace(self, **changes)
        named = [(field.name, getattr(changed, field.name)) for field in fields(changed)]
        kept = [(name, value) for name, value in named if value != _default(name)]
        return [("class" if name == "kind" else name, value) for name, value in kept]

    def flipped(self, name: str) -> str:
        """The other value of a switch that is on or off."""
        first, second = VALUES[name]
        return second if getattr(self, name) == first else first


@lru_cache(maxsize=256)
def _query(switches: Switches, **changes: str) -> str:
    """Every row of a page asks for the same."""
    kept = switches.pairs(**changes)
    return f"?{urlencode(kept)}" if kept else ""


def asked_class(query: Mapping[str, str]) -> str:
    """The class an address asks for: `class=arabic`, `class=re:…`, or `re=…` as a form sends it."""
    typed = query.get("re", "")
    return (f"{OWN}{typed}" if typed else query.get("class", ""))[:_LONGEST_CLASS]


def _asked_scale(query: Mapping[str, str]) -> str:
    """`own`, `all`, or an activation above 0, as written."""
    asked = query.get("scale", OWN_SCALE)[:_LONGEST_NUMBER]
    if asked in (OWN_SCALE, SHARED_SCALE):
        return asked
    try:
        number = float(asked)
    except ValueError:
        return OWN_SCALE
    return asked if math.isfinite(number) and number > 0 else OWN_SCALE


def _default(name: str) -> str:
    if name == "scale":
        return OWN_SCALE
    return VALUES[name][0] if name in VALUES else ""
