"""A piece of text around what matched, cut where marks begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from featureviz.browse.rows import level_of
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.finding import Place
from featureviz.dashboards.text import Script, main_script, visible
from featureviz.dashboards.words import ContextText, Phrase, places_of_words

REACH = 44  # characters shown either side
_KEPT = 4096  # a kilobyte each
_FARTHEST = 90  # characters between the peak and a match that are still shown together

Between = tuple[int, int]  # characters of a text: the first, and the one after the last


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters that are marked alike."""

    text: str
    is_match: bool = False
    level: int = 0  # of the activation at the peak; 0: not the peak


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of text with marks."""

    segments: tuple[Segment, ...]
    script: Script
    place: str = ""  # `<context>.<position>` of an example
    is_cut: tuple[bool, bool] = (False, False)  # before, after


@dataclass(frozen=True, slots=True)
class _Marked:
    """A whole text and what is marked in it."""

    text: str
    matches: Sequence[Between]
    peak: Between = (-1, -1)
    level: int = 0

    def cut(self, window: Between, place: str = "") -> Excerpt:
        """The part of it that lies in a window, without the start token and blank lines."""
        first, last = window
        while first < last and self.text[first] == "\n" and first != self.peak[0]:
            first += 1
        edges = {first, last, *self.peak, *(edge for each in self.matches for edge in each)}
        cuts = sorted(edge for edge in edges if first <= edge <= last)
        segments = tuple(self._segment(*between) for between in pairwise(cuts))
        whole = "".join(segment.text for segment in segments)
        is_cut = first > 1, last < len(self.text.rstrip("\n"))
        return Excerpt(segments, main_script(whole), place, is_cut)

    def _segment(self, start: int, end: int) -> Segment:
        return Segment(
            visible(ContextText.shown(self.text[start:end])),
            any(match[0] <= start and end <= match[1] for match in self.matches),
            self.level if self.peak[0] <= start and end <= self.peak[1] else 0,
        )


def of_text(text: str, phrases: Sequence[Phrase]) -> Excerpt | None:
    """A text, as far as it surrounds its first match; none where nothing matches."""
    matches = sorted(between for phrase in phrases for between in phrase.within(text))
    if not matches:
        return None
    return _Marked(text, matches).cut(_around(text, matches[0], 2 * REACH))


def of_start(text: str) -> Excerpt:
    """The first line or two of a text."""
    return _Marked(text, ()).cut(_around(text, (0, 0), 4 * REACH))


@lru_cache(maxsize=_KEPT)
def of_place(corpus: StoredCorpus, place: Place, top: float) -> Excerpt:
    """An example: the text around its peak, or around the match where that is far from it.

    Kept: corpora never change, and people narrow a search and turn back.
    """
    context = ContextText.of(corpus, range(place.context, place.context + 1))
    peak = _peak(context, place.position)
    while peak[1] - peak[0] > 1 and context.text[peak[0]] == " ":
        peak = peak[0] + 1, peak[1]
    matches = _matches(context.text, place)
    seen = _nearby(peak, matches[place.word]) if matches else peak
    level = level_of(place.activation, top) or 1
    marked = _Marked(context.text, list(matches.values()), peak, level)
    return marked.cut(_around(context.text, seen, REACH), place=f"{place.context}.{place.position}")


def _matches(text: str, place: Place) -> dict[int, Between]:
    """Where the phrase stands, by its first word."""
    words = places_of_words(text, place.matches[-1][1] + 1) if place.matches else []
    return {first: (words[first][0], words[last][1]) for first, last in place.matches}


def _peak(context: ContextText, position: int) -> Between:
    """The characters of the token at a position."""
    start = int(np.searchsorted(context.last, position))
    return start, max(start + 1, int(np.searchsorted(context.first, position, side="right")))


def _nearby(peak: Between, match: Between) -> Between:
    """What the excerpt is about: the peak and the match if they are near, else the match alone."""
    both = min(peak[0], match[0]), max(peak[1], match[1])
    return both if both[1] - both[0] <= _FARTHEST else match


def _around(text: str, between: Between, reach: int) -> Between:
    """So many characters more on both sides, without cutting a word where that can be helped."""
    first, last = max(0, between[0] - reach), min(len(text), between[1] + reach)
    if first and (blank := text.find(" ", first, between[0])) >= 0:
        first = blank + 1
    if last < len(text) and (blank := text.rfind(" ", between[1], last)) >= 0:
        last = blank
    return first, last
