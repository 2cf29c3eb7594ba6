"""How a reader wants a page drawn; every switch is in the address, defaults are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self
from urllib.parse import urlencode

VALUES = {
    "view": ("line", "16", "whole"),
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

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read an address; what is not understood is the default."""
        asked = {name: query.get(name, "") for name in VALUES}
        return cls(**{name: value for name, value in asked.items() if value in VALUES[name]})

    def query(self, **changes: str) -> str:
        """The part of an address after its path, with changes: `?view=16`, or nothing."""
        changed = replace(self, **changes)
        named = {field.name: getattr(changed, field.name) for field in fields(changed)}
        kept = {name: value for name, value in named.items() if value != VALUES[name][0]}
        return f"?{urlencode(kept)}" if kept else ""

    def flipped(self, name: str) -> str:
        """The other value of a switch that is on or off."""
        first, second = VALUES[name]
        return second if getattr(self, name) == first else first
