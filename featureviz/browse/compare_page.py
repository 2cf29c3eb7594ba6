"""Latents side by side, gathered before they are drawn: the answer, the numbers, the same text."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self
from urllib.parse import urlencode

from django.urls import reverse
from msgspec.structs import replace

from featureviz.browse.asking import Asked
from featureviz.browse.formats import THIN, percent, whole
from featureviz.browse.rows import Reader, Row
from featureviz.browse.switches import Switches
from featureviz.catalog import relations
from featureviz.catalog.comparison import (
    LETTERS,
    Compared,
    Comparison,
    Figure,
    Pair,
    SharedContext,
    find,
)
from featureviz.catalog.models import Latent
from featureviz.dashboards.relations import Related
from featureviz.dashboards.schema import Example
from featureviz.dashboards.store import StoreError
from featureviz.dashboards.text import readable

_TOKENS_SHOWN = 12
_SUGGESTED = 4  # related latents of each dictionary
_SAME = 0.8  # share of tokens in common from which two are called the same, or one within the other
_OVERLAP = 0.1  # from which they are said to overlap
_VIEWS = (("line", "Line"), ("16", "±16"), ("whole", "Whole"))


@dataclass(frozen=True, slots=True)
class Place:
    """One of the four fields an address is typed into."""

    letter: str
    typed: str = ""
    found: Compared | None = None
    without: str = ""  # the address of the page without it
    is_again: bool = False  # stands in a field before

    @property
    def is_lost(self) -> bool:
        """Whether something was typed that is no latent here."""
        return bool(self.typed) and self.found is None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A related latent to put beside the one that was named."""

    latent: Latent
    related: Related
    query: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A token and how often each latent fires on it."""

    text: str
    counts: tuple[tuple[int, float], ...]  # of each latent: times, and their share of its firing
    n_firing: int  # latents that fire on it at all


@dataclass(frozen=True, slots=True)
class Promoted:
    """A token a latent promotes."""

    text: str
    is_shared: bool  # another of the latents promotes it too


@dataclass(frozen=True, slots=True)
class Text:
    """One context, drawn once for each latent."""

    shared: SharedContext
    rows: tuple[tuple[Compared, Row], ...]


@dataclass(frozen=True, slots=True)
class TextGroup:
    """Contexts one latent is strongest in."""

    of: Compared
    texts: tuple[Text, ...]
    absent: tuple[Compared, ...]  # latents whose activations there are not known


@dataclass(frozen=True, slots=True)
class Split:
    """Of the tokens either fires on: the first alone, both, the second alone."""

    only_a: int
    both: int
    only_b: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.only_a + self.both + self.only_b

    @property
    def begins(self) -> float:
        """Where the share of both begins on a bar of 100."""
        return 100 * self.only_a / self.total

    @property
    def width(self) -> float:
        """How much of it that is; a sliver where it would not be seen."""
        return max(0.4, 100 * self.both / self.total) if self.both else 0.0


@dataclass(frozen=True)
class PairRow:
    """A pair as a row of figures."""

    pair: Pair

    @property
    def split(self) -> Split | None:
        """How their firing divides; none where that is not known, or neither fires."""
        meeting = self.pair.meeting
        if meeting is None or not meeting.n_either:
            return None
        n_a, n_b = self.pair.a.dashboard.n_active, self.pair.b.dashboard.n_active
        return Split(n_a - meeting.n_both, meeting.n_both, n_b - meeting.n_both)

    @property
    def figures(self) -> tuple[tuple[str, str, Figure], ...]:
        """Name, kind of number, number."""
        pair = self.pair
        return (
            ("Fire together", "share", pair.jaccard),
            ("Activations r", "signed", pair.correlation),
            ("Decoder cosine", "signed", pair.cosine),
            ("Logit weights r", "signed", pair.logit_correlation),
            ("Same firing tokens", "share", pair.token_overlap),
            ("Same promoted", "count", pair.shared_promoted),
        )

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """What cannot be compared, and why; alike reasons together."""
        reasons: dict[str, list[str]] = {}
        for name, _, figure in self.figures:
            if figure.value is None:
                reasons.setdefault(figure.why, []).append(name.lower())
        return [(", ".join(names), why) for why, names in reasons.items()]


@dataclass(frozen=True)
class ComparePage:
    """What an address asks to see side by side."""

    places: tuple[Place, ...]
    scale: str
    switches: Switches

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read an address; what is not understood is said beside its field."""
        scale = "own" if query.get("scale") == "own" else "shared"
        page = cls(tuple(_places(query)), scale, Switches.of(query))
        return cls(tuple(page._named()), scale, page.switches)

    @cached_property
    def latents(self) -> tuple[Compared, ...]:
        """The latents that were found, each once."""
        return tuple(each.found for each in self.places if each.found and not each.is_again)

    @cached_property
    def comparison(self) -> Comparison:
        """Their numbers."""
        return Comparison(self.latents)

    @property
    def is_whole(self) -> bool:
        """Whether there is something to compare."""
        return len(self.latents) > 1

    @property
    def fields(self) -> list[Place]:
        """The fields to type into: those filled, two at least, and one more."""
        filled = [number for number, each in enumerate(self.places, 1) if each.typed]
        return list(self.places[: max(2, max(filled, default=0) + (len(filled) > 1))])

    @property
    def lost(self) -> list[Place]:
        """The fields whose address leads nowhere."""
        return [each for each in self.places if each.is_lost]

    def query(self, **changes: str) -> str:
        """The address with changes, its defaults left out."""
        named = {each.letter: each.typed for each in self.places} | {"scale": self.scale}
        named |= dict(self.switches.pairs()) | changes
        defaults = {"scale": "shared", "view": "line", "num": "off"}
        kept = {name: value for name, value in named.items() if value != defaults.get(name, "")}
        return f"?{urlencode(kept, safe='/')}"

    @property
    def scales(self) -> list[tuple[str, str, bool]]:
        """The two colour scales: words, address, whether it is the one drawn."""
        words = (("shared", "Shared"), ("own", "Each its own"))
        return [(word, self.query(scale=name), name == self.scale) for name, word in words]

    @property
    def views(self) -> list[tuple[str, str, bool]]:
        """How much of a context is drawn."""
        return [(word, self.query(view=name), name == self.switches.view) for name, word in _VIEWS]

    @property
    def numbers_query(self) -> str:
        """The address with the numbers after tokens the other way."""
        return self.query(num=self.switches.flipped("num"))

    @property
    def json(self) -> str:
        """Where the record is."""
        return f"{reverse('compare-json')}{self.query()}"

    # ---------- the answer ----------

    @cached_property
    def rows(self) -> list[PairRow]:
        """Every pair."""
        return [PairRow(pair) for pair in self.comparison.pairs]

    @property
    def lacks_weights(self) -> bool:
        """Whether there are figures that only a worker can tell."""
        return any(row.pair.lacks_weights for row in self.rows)

    @cached_property
    def asked(self) -> Asked:
        """What became of asking one: of the pairs, one that still waits, else one that failed."""
        found = [row.pair.asked for row in self.rows if row.pair.lacks_weights and row.pair.asked]
        return Asked(min(found, key=lambda each: not each.is_open, default=None))

    @property
    def problem(self) -> str:
        """Why a worker could not answer."""
        return self.asked.question.problem if self.asked.question else ""

    @property
    def answer(self) -> str:
        """Whether they do the same thing, in words."""
        if len(self.rows) == 1:
            return in_words(self.rows[0].pair)
        known = [row.pair for row in self.rows if row.pair.meeting]
        if not known:
            return "Their activations cannot be compared"
        closest = max(known, key=lambda pair: pair.meeting.jaccard if pair.meeting else 0)
        names = f"{closest.a.letter} and {closest.b.letter}"
        return f"Most alike are {names}. {in_words(closest)}"

    @cached_property
    def firing_tokens(self) -> list[Counted]:
        """The tokens they share most, then each one's own."""
        totals = [max(1, each.fired.total()) for each in self.latents]
        found = []
        for token in self.comparison.firing_tokens[:_TOKENS_SHOWN]:
            counts = [each.fired[token] for each in self.latents]
            shares = tuple(
                (count, count / total) for count, total in zip(counts, totals, strict=True)
            )
            found.append(Counted(readable(token), shares, sum(map(bool, counts))))
        return found

    @property
    def largest_share(self) -> float:
        """Of one token in one latent's firing, among those listed: the longest bar."""
        return max((share for row in self.firing_tokens for _, share in row.counts), default=0.0)

    @property
    def n_shared_tokens(self) -> int:
        """Tokens that at least two of them fire on."""
        fired = [each.fired for each in self.latents]
        return sum(
            sum(token in each for each in fired) > 1 for token in self.comparison.firing_tokens
        )

    @cached_property
    def promoted(self) -> list[list[Promoted]]:
        """Of each latent, what it promotes most."""
        every = [each.promoted for each in self.latents]
        return [
            [Promoted(readable(token), sum(token in other for other in every) > 1) for token in own]
            for own in every
        ]

    # ---------- the same text ----------

    @cached_property
    def top(self) -> float:
        """Where the shared scale ends: the activation farthest from 0 of all."""
        return max((abs(each.dashboard.max_activation) for each in self.latents), default=0.0)

    def end_of_scale(self, each: Compared) -> float:
        """Where a latent's colours end; below 0 for a negative end."""
        own = each.dashboard.max_activation
        if self.scale == "own" or not own:
            return own
        return -self.top if own < 0 else self.top

    @cached_property
    def groups(self) -> list[TextGroup]:
        """Each latent's strongest contexts."""
        return [
            TextGroup(
                each,
                tuple(self._text(one) for one in self.comparison.contexts if one.of is each),
                tuple(
                    other
                    for other in self.latents
                    if other.run.corpus_id != each.run.corpus_id or other.firing is None
                ),
            )
            for each in self.latents
        ]

    def _text(self, shared: SharedContext) -> Text:
        return Text(shared, tuple((each, self._row(shared, each)) for each in _with(shared)))

    def _row(self, shared: SharedContext, each: Compared) -> Row:
        active = _activations(shared, each)
        example = Example(
            context=shared.example.context,
            position=shared.example.position,
            activation=active.get(shared.example.position, 0.0),
            positions=tuple(active),
            activations=tuple(active.values()),
        )
        scaled = replace(each.dashboard, max_activation=self.end_of_scale(each))
        anchor = f"{shared.of.letter}{shared.rank}-{each.letter}"
        return Reader(each.corpus, scaled).row(anchor, example)

    # ---------- before there are two ----------

    @cached_property
    def suggestions(self) -> list[Suggestion]:
        """Latents related to the only one named, those that fire most alike first."""
        if len(self.latents) != 1:
            return []
        [named] = self.latents
        return [
            Suggestion(latent, related, self.query(b=str(latent)))
            for latent, related in _related(named.latent)
        ]

    def _named(self) -> Iterator[Place]:
        """The fields, each with the address of the page without it; addresses as the site's."""
        seen: set[str] = set()
        for each in self.places:
            typed = each.found.address if each.found else each.typed
            without = self.query(**{each.letter: ""})
            yield Place(each.letter, typed, each.found, without, bool(typed) and typed in seen)
            seen.add(typed)


def in_words(pair: Pair) -> str:
    """Whether two latents do the same thing: by the tokens each fires on."""
    meeting, a, b = pair.meeting, pair.a, pair.b
    if meeting is None:
        return "Their activations cannot be compared"
    for each in (a, b):
        if not each.dashboard.n_active:
            return f"{each.address} never fired; there is nothing to hold beside it"
    both, either = whole(meeting.n_both), whole(meeting.n_either)
    counts = f"both fire on {both} of the {either} tokens either does"
    if meeting.jaccard >= _SAME:
        return f"Nearly the same: {counts}"
    inner, outer = sorted((a, b), key=lambda each: each.dashboard.n_active)
    within = meeting.n_both / inner.dashboard.n_active
    if within >= _SAME:
        times = outer.dashboard.n_active / inner.dashboard.n_active
        return (
            f"{inner.letter} fires within {outer.letter}: on {percent(within)} of its tokens "
            f"{outer.letter} fires too, which fires {times:.1f}{THIN}times as often"
        )
    if meeting.jaccard >= _OVERLAP:
        return f"They overlap: {counts}"
    return (
        f"Hardly alike: {counts}" if meeting.n_both else f"Never together: none of {either} tokens"
    )


def _places(query: Mapping[str, str]) -> Iterator[Place]:
    """The four fields as typed."""
    for letter in LETTERS:
        typed = query.get(letter, "").strip()[:300]
        yield Place(letter, typed, find(letter, typed) if typed else None)


def _with(shared: SharedContext) -> Iterable[Compared]:
    """Who is drawn: all that ran over the text, or at least the latent whose example it is."""
    return shared.beside or (shared.of,)


def _activations(shared: SharedContext, each: Compared) -> dict[int, float]:
    if each.firing is None:  # deleted; its own dashboard still has its examples
        example = shared.example
        return dict(zip(example.positions, example.activations, strict=True))
    return each.active_in(shared.example.context)


def _related(latent: Latent) -> Iterator[tuple[Latent, Related]]:
    """The strongest relations of a latent, some of each dictionary."""
    for relation in relations.of(latent.run):
        try:
            found = (
                latent.run.relations(relation.other, latent.index) if relation.is_whole else None
            )
        except StoreError:
            found = None
        known = [each for each in found.related if each.n_both] if found else []
        known.sort(key=lambda each: (-each.jaccard, each.index))
        shown = known[:_SUGGESTED]
        rows = relation.other.latents.filter(index__in=[each.index for each in shown])
        named = {row.index: row for row in rows}
        for each in shown:
            named[each.index].run = relation.other
            yield named[each.index], each
