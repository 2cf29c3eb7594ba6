"""The panel "What it fires on": a latent against a class of tokens."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from featureviz.browse.switches import OWN, Switches
from featureviz.catalog.models import Run
from featureviz.dashboards import classes, own_class
from featureviz.dashboards.expressions import ExpressionError, matched
from featureviz.dashboards.own_class import Profiled
from featureviz.dashboards.schema import Dashboard
from featureviz.dashboards.store import StoreError

_LEAST = 100  # active tokens: shares of fewer are weak evidence


@dataclass(frozen=True, slots=True)
class Choice:
    """A class in the menu."""

    name: str
    label: str
    share: float  # of the active tokens
    is_current: bool
    query: str


@dataclass(frozen=True, slots=True)
class Level:
    """An interval of activation: how many active tokens, how many of them in the class."""

    lower: float
    upper: float
    n_active: int
    inside: int

    @property
    def share(self) -> float:
        """Of its tokens that are in the class: its specificity; 0 when it has none."""
        return self.inside / self.n_active if self.n_active else 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A class beside the latent, in numbers."""

    label: str
    profiled: Profiled
    levels: tuple[Level, ...]  # strongest first

    @property
    def share(self) -> float:
        """Of the active tokens that are in the class."""
        return _share(self.profiled.profile.n_active, self.profiled.n_active)

    @property
    def base(self) -> float:
        """Of all counted tokens that are in the class."""
        return _share(self.profiled.profile.n_tokens, self.profiled.n_counted)

    @property
    def weighted(self) -> float:
        """Of the summed activation that is on the class."""
        return _share(self.profiled.profile.total, self.profiled.sum_activation)

    @property
    def recall(self) -> float:
        """Of the tokens in the class, those the latent is active on."""
        return _share(self.profiled.profile.n_active, self.profiled.profile.n_tokens)

    @property
    def is_thin(self) -> bool:
        """Whether so few tokens are behind the shares that they say little."""
        return self.profiled.n_active < _LEAST

    @property
    def weakest_first(self) -> tuple[Level, ...]:
        """The levels, as a histogram draws them."""
        return self.levels[::-1]


@dataclass(frozen=True)
class ProfilePanel:
    """The classes of a latent, and the one an address asks for."""

    run: Run
    dashboard: Dashboard
    switches: Switches

    @property
    def asked(self) -> str:
        """The class asked for, by name or as `re:` and a pattern; empty: the best."""
        return self.switches.kind

    @property
    def pattern(self) -> str:
        """The reader's own pattern; empty when none is asked for."""
        return self.asked.removeprefix(OWN) if self.asked.startswith(OWN) else ""

    @property
    def choices(self) -> list[Choice]:
        """The menu: classes with enough of its active tokens, best correlated first."""
        current = self.shown.profiled.profile.name if self.shown else self.asked
        return [
            Choice(
                name=one.name,
                label=classes.label(one.name),
                share=_share(one.n_active, self.dashboard.n_active),
                is_current=one.name == current,
                query=self.switches.query(kind=one.name),
            )
            for one in self.dashboard.profiles or ()
        ]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The switches a form has to carry along."""
        return self.switches.pairs(kind="")

    @property
    def shown(self) -> Shown | None:
        """The class shown; none when it cannot be."""
        return self._outcome if isinstance(self._outcome, Shown) else None

    @property
    def problem(self) -> str:
        """Why there is nothing to show, in words."""
        return "" if isinstance(self._outcome, Shown) else str(self._outcome)

    @property
    def trouble(self) -> tuple[str, str] | None:
        """A bad pattern, cut where the trouble begins."""
        outcome = self._outcome
        if not isinstance(outcome, ExpressionError) or outcome.at is None:
            return None
        return self.pattern[: outcome.at], self.pattern[outcome.at :]

    @cached_property
    def _outcome(self) -> Shown | ExpressionError | str:
        if self.asked.startswith(OWN):
            return self._own()
        found = self.dashboard.profiles
        if found is None:
            return "This run is older than token profiles; compute it again to have them."
        for one in found:
            if one.name == self.asked or not self.asked:
                return self._levelled(
                    classes.label(one.name), own_class.stored(one, self.dashboard)
                )
        if self.asked in (*classes.WRITING, *classes.ALPHABETS):
            return f"Fewer than 1 % of its active tokens are {classes.label(self.asked)}."
        if self.asked:
            return "There is no class of this name."
        return "None of its active tokens is in a class of the menu."

    def _own(self) -> Shown | ExpressionError | str:
        try:
            profiled = self._profiled()
        except ExpressionError as error:
            return error
        except StoreError:
            return (
                "The activations of this run are no longer kept, so no pattern can be held against "
                "them. The classes of the menu were computed in the run."
            )
        return self._levelled(self.pattern, profiled)

    def _profiled(self) -> Profiled:
        corpus, plan = self.run.corpus.stored, self.run.plan
        facts = corpus.facts
        size = int(plan.get("shard_size", 0)) or facts.n_contexts
        paths = [self._shard(number) for number in range(-(-facts.n_contexts // size))]
        firing = own_class.read_firing(paths, self.dashboard.index, size * facts.context_size)
        found = matched(corpus, self.pattern)
        return own_class.own_class(self.asked, self.dashboard, firing, corpus, found)

    def _shard(self, number: int) -> Path:
        return self.run.folder / "shards" / f"{number:05d}.safetensors"

    def _levelled(self, label: str, profiled: Profiled) -> Shown:
        levels = zip(
            self.dashboard.intervals,
            profiled.in_intervals,
            profiled.profile.in_intervals,
            strict=True,
        )
        return Shown(
            label,
            profiled,
            tuple(Level(one.lower, one.upper, n, inside) for one, n, inside in levels),
        )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
