"""The activation that has the strongest colour: the latent's own extreme, or one it shares."""

import math
from dataclasses import dataclass
from typing import Self

from featureviz.browse.formats import activation, decimals_for, fixed
from featureviz.browse.switches import OWN_SCALE, SHARED_SCALE, Switches
from featureviz.catalog.columns import extreme
from featureviz.catalog.models import Run


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to scale colours, as a switch of the page."""

    value: str  # in the address
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """How strongly a latent's activations are coloured."""

    asked: str  # own, all, or an activation
    own: float  # the extreme of the end shown; below 0 at a negative one
    widest: float  # of all latents of the dictionary, at that end

    @classmethod
    def of(cls, run: Run, own: float, switches: Switches) -> Self:
        """Look up the dictionary's extreme at the end shown."""
        return cls(switches.scale, own, extreme(run, is_negative=own < 0) or own)

    @property
    def full(self) -> float:
        """The activation of the strongest colour; what lies beyond it has that colour too."""
        if self.asked == OWN_SCALE:
            return self.own
        if self.asked == SHARED_SCALE:
            return self.widest
        return math.copysign(float(self.asked), self.own)

    @property
    def is_shared(self) -> bool:
        """Whether colours of this page can be held against those of another."""
        return self.asked != OWN_SCALE

    @property
    def choices(self) -> list[Choice]:
        """The switch: own, the dictionary's, and the number of the address where it has one."""
        pairs = [
            (OWN_SCALE, f"own {activation(self.own, self.own)}"),
            (SHARED_SCALE, f"dictionary’s {activation(self.widest, self.widest)}"),
        ]
        if self.asked not in (OWN_SCALE, SHARED_SCALE):
            pairs.append((self.asked, fixed(self.full, decimals_for(self.full))))
        return [Choice(value, label, value == self.asked) for value, label in pairs]
