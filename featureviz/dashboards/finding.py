"""What a run's latents can be found by, as arrays: no database is asked, so none can differ.

Gathered from the dashboards when a run is published. Layout of `<run>/finding/`:

- `facts.npy` [n_latents]: the numbers people filter and sort by.
- `fires.*`, `promotes.*`, `suppresses.*`: the tokens of each latent, best first: `.tokens` and
  `.values` [n] from `.offsets` [n_latents + 1], the `.latents` [n] they belong to, and `.by_token`
  [n] (entries by token) from `.starts` [n_tokens + 1].
- `examples.*`: every kept example in which a latent is active, each place once, by context:
  `.latents`, `.positions`, `.activations`, `.words` and `.word_ends` (the places of the words at
  the peak, from one up to another) [n] from `.offsets` [n_contexts + 1]; `.by_word` (examples by
  the words at their peaks, whose places are `.peaks`) from `.starts` [n_words + 1]; `.by_latent`
  (strongest first) from `.owned` [n_latents + 1].

Of a signed latent both ends are in the lists of tokens it fires on and in the examples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example, TokenWeight
from featureviz.dashboards.words import (
    CorpusWords,
    Ints,
    Phrase,
    inverted,
    read_array,
    write_folder,
)

_FOLDER = "finding"
TOKENS = ("fires", "promotes", "suppresses")
MOST_EXAMPLES = 200_000  # that hold a phrase: of more, only those that peak in it are looked at
ELSEWHERE = 0.1  # of an example that peaks in the phrase, what one that only holds it counts
DOUBT = 10  # so many more, that speak against it: a share of very few tells little

FACTS = np.dtype(
    [
        ("n_active", np.int64),  # at either end
        ("n_tokens", np.int64),
        ("density", np.float64),
        ("max", np.float64),
        ("mean", np.float64),
        ("min", np.float64),
        ("n_examples", np.int32),
    ]
)


class Gathering:
    """Dashboards, taken in one after another, in the order of their indices."""

    def __init__(self) -> None:
        self._facts: list[tuple[float, ...]] = []
        self._tokens = {kind: (array("i"), array("f"), array("i")) for kind in TOKENS}
        self._examples = array("i"), array("i"), array("i"), array("f")

    def add(self, dashboard: Dashboard) -> None:
        """Take in the next latent."""
        latent = len(self._facts)
        ends = [dashboard, *([dashboard.negative] if dashboard.negative else [])]
        for kind, found in _tokens(dashboard, ends).items():
            latents, values, tokens = self._tokens[kind]
            for token, value in found:
                latents.append(latent)
                tokens.append(token)
                values.append(value)
        examples = {(each.context, each.position): each for end in ends for each in _examples(end)}
        latents, contexts, positions, activations = self._examples
        for example in examples.values():
            latents.append(latent)
            contexts.append(example.context)
            positions.append(example.position)
            activations.append(example.activation)
        self._facts.append(_facts(dashboard, ends, len(examples)))

    def write(self, run: Path, corpus: StoredCorpus, replace: bool = False) -> None:
        """Keep all of it in a run's folder; what is there already stays unless replaced."""
        if replace or not (run / _FOLDER).exists():
            write_folder(run / _FOLDER, lambda part: self._write(part, corpus), replace)

    def _write(self, folder: Path, corpus: StoredCorpus) -> None:
        np.save(folder / "facts.npy", np.array(self._facts, FACTS))
        for kind, columns in self._tokens.items():
            self._write_tokens(folder, kind, columns, len(corpus.vocabulary))
        self._write_examples(folder, corpus)

    def _write_tokens(self, folder: Path, kind: str, columns: Any, n_tokens: int) -> None:
        latents, values, tokens = (np.array(column) for column in columns)
        n_tokens = max(n_tokens, int(tokens.max(initial=0)) + 1)  # a padded unembedding
        by_token = np.empty(len(tokens), np.int32)
        starts = inverted(tokens, n_tokens, by_token)
        arrays: dict[str, npt.NDArray[Any]] = {
            "latents": latents.astype(np.int32),
            "values": values.astype(np.float32),
            "tokens": tokens.astype(np.int32),
            "offsets": np.searchsorted(latents, np.arange(len(self._facts) + 1)),
            "by_token": by_token,
            "starts": starts,
        }
        for name, one in arrays.items():
            np.save(folder / f"{kind}.{name}.npy", one)

    def _write_examples(self, folder: Path, corpus: StoredCorpus) -> None:
        words = CorpusWords.of(corpus)
        latents, contexts, positions, activations = (np.array(one) for one in self._examples)
        order = np.lexsort((positions, latents, contexts))
        latents, contexts, positions, activations = (
            one[order] for one in (latents, contexts, positions, activations)
        )
        begin, end = words.places_of(contexts, positions)
        peaks, owners = ranges_of(begin, end), np.repeat(np.arange(len(begin)), end - begin)
        by_word = np.empty(len(peaks), np.int64)
        starts = inverted(words.flat[peaks], len(words.words), by_word)
        by_latent = np.lexsort((np.arange(len(latents)), -np.abs(activations), latents))
        arrays: dict[str, npt.NDArray[Any]] = {
            "latents": latents.astype(np.int32),
            "positions": positions.astype(words.first.dtype),
            "activations": activations.astype(np.float32),
            "words": begin.astype(words.postings.dtype),
            "word_ends": end.astype(words.postings.dtype),
            "offsets": np.searchsorted(contexts, np.arange(len(corpus.lengths) + 1)),
            "by_word": owners[by_word].astype(np.int32),
            "peaks": peaks[by_word].astype(words.postings.dtype),
            "starts": starts,
            "by_latent": by_latent.astype(np.int32),
            "owned": np.searchsorted(latents[by_latent], np.arange(len(self._facts) + 1)),
        }
        for name, one in arrays.items():
            np.save(folder / f"examples.{name}.npy", one)


def _tokens(dashboard: Dashboard, ends: list[Dashboard]) -> dict[str, list[tuple[int, float]]]:
    """Tokens with the share of the latent's firing, or with the logit weight; best first."""

    def weights(rows: tuple[TokenWeight, ...]) -> list[tuple[int, float]]:
        return [(row.token, row.value) for row in rows]

    logits = dashboard.shown_logits
    fires = ((count.token, count.n_active / end.n_active) for end in ends for count in end.fires_on)
    return {
        "fires": list(fires),
        "promotes": weights(logits.top) if logits else [],
        "suppresses": weights(logits.bottom) if logits else [],
    }


def _examples(end: Dashboard) -> Iterator[Example]:
    """Those in which it is active."""
    intervals = (interval.examples for interval in end.intervals)
    return chain(end.top, *intervals, end.random)


def _facts(dashboard: Dashboard, ends: list[Dashboard], n_examples: int) -> tuple[float, ...]:
    return (
        sum(end.n_active for end in ends),
        dashboard.n_tokens,
        dashboard.density,
        dashboard.max_activation,
        dashboard.mean_activation,
        dashboard.min_activation,
        n_examples,
    )


@dataclass(frozen=True)
class TokenLists:
    """The tokens that latents fire on, promote or suppress."""

    folder: Path
    kind: str

    def totals(self, tokens: Ints, n_latents: int) -> npt.NDArray[np.float64]:
        """Of each latent, summed over those of some tokens in its list [n_latents].

        Fires: the share of its firing on them. Else 1 / rank in the list.
        """
        entries = self._entries(tokens)
        latents = self._array("latents")[entries]
        if self.kind == "fires":
            weights = self._array("values")[entries].astype(np.float64)
        else:
            weights = 1.0 / (1 + entries - self._array("offsets")[latents])
        return np.bincount(latents, weights, minlength=n_latents).astype(np.float64)

    def of(self, latent: int) -> list[tuple[int, float]]:
        """The tokens of a latent, best first, each with its value."""
        offsets = self._array("offsets")
        rows = slice(int(offsets[latent]), int(offsets[latent + 1]))
        tokens, values = self._array("tokens")[rows], self._array("values")[rows]
        return list(zip(tokens.tolist(), values.tolist(), strict=True))

    def n_latents(self, token: int) -> int:
        """How many latents have a token in their list."""
        starts = self._array("starts")
        return int(starts[token + 1] - starts[token]) if token + 1 < len(starts) else 0

    def _entries(self, tokens: Ints) -> Ints:
        starts, by_token = self._array("starts"), self._array("by_token")
        known = np.sort(tokens[tokens + 1 < len(starts)])
        found = by_token[ranges_of(starts[known], starts[known + 1])]
        return np.asarray(found, np.int64)

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        return {}

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = read_array(self.folder, f"{self.kind}.{name}")
        return self._arrays[name]


@dataclass(frozen=True, slots=True)
class Held:
    """In how many of its examples each latent meets a phrase; both [n_latents]."""

    at_peak: Ints  # peaks in it
    elsewhere: Ints  # only has it in the context
    only_peaks: bool  # the phrase is so frequent that `elsewhere` was not counted


@dataclass(frozen=True, slots=True)
class Place:
    """An example of a latent, and where in its context a phrase stands."""

    context: int
    position: int  # of the peak
    activation: float
    word: int = -1  # the phrase's first word, counted in the context from 0; -1: no phrase
    matches: tuple[tuple[int, int], ...] = ()  # all its places there: the first and the last word


@dataclass(frozen=True, eq=False)
class RunIndex:
    """What a published run's latents are found by; written again, it is another."""

    folder: Path
    words: CorpusWords

    @classmethod
    def of(cls, run: Path, corpus: Path) -> RunIndex | None:
        """The one in a run's folder; none where it, or the words in the corpus's, are not there."""
        words = CorpusWords(corpus / "words")
        whole = (run / _FOLDER).is_dir() and words.folder.is_dir()
        return cls(run / _FOLDER, words) if whole else None

    def __len__(self) -> int:
        return len(self.facts)

    @cached_property
    def facts(self) -> npt.NDArray[Any]:
        """The numbers of each latent; the fields of FACTS, each as its own array is quick."""
        return np.asarray(read_array(self.folder, "facts"))

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.ascontiguousarray(self.facts[name]) for name in FACTS.names or ()}

    def fact(self, name: str) -> npt.NDArray[Any]:
        """One number of every latent [n_latents]."""
        return self._columns[name]

    @cached_property
    def _sure(self) -> npt.NDArray[np.float64]:
        """How far the shares of a latent that fires so often are believed [n_latents]."""
        n_active = self.fact("n_active")
        return np.asarray(n_active / (n_active + DOUBT), np.float64)

    @cached_property
    def tokens(self) -> dict[str, TokenLists]:
        """The three kinds of lists."""
        return {kind: TokenLists(self.folder, kind) for kind in TOKENS}

    @cached_property
    def _examples(self) -> dict[str, Any]:
        names = ("latents", "positions", "activations", "words", "word_ends", "offsets",
                 "by_word", "peaks", "starts", "by_latent", "owned")  # fmt: skip
        return {name: read_array(self.folder, f"examples.{name}") for name in names}

    def held(self, phrase: Phrase, most: int = MOST_EXAMPLES) -> Held:
        """The examples that hold a phrase, counted by latent."""
        ranges = self.words.ranges(phrase)
        frequent = ranges and min(map(self.words.n_places, ranges)) > most
        matches = np.empty(0, np.int64) if frequent else self.words.matches(ranges)
        contexts = self.words.contexts[matches]
        contexts = contexts[np.diff(contexts, prepend=-1) > 0]
        offsets = self._examples["offsets"]
        n_examples = int((offsets[contexts + 1] - offsets[contexts]).sum())
        if frequent or n_examples > most:
            peaks = self._count(self._peaking(ranges))
            return Held(peaks, np.zeros_like(peaks), only_peaks=True)
        found = ranges_of(offsets[contexts], offsets[contexts + 1])
        inside = self._inside(found, matches, len(ranges))
        peaks = self._count(found[inside])
        return Held(peaks, self._count(found) - peaks, only_peaks=False)

    def by_tokens(self, kind: str, tokens: Ints) -> npt.NDArray[np.float64]:
        """How well each latent is found by any of some tokens, at most 1; 0 where by none.

        Fires: the active positions on them of all and DOUBT more. Else the sum of 1 / rank.
        """
        totals = self.tokens[kind].totals(tokens, len(self))
        if kind == "fires":
            totals *= self._sure
        return np.minimum(totals, 1.0, out=totals)

    def by_phrase(self, held: Held) -> npt.NDArray[np.float64]:
        """How well each latent is found by a phrase, below 1; 0 where it is not.

        The examples that peak in it, of all and DOUBT more; others that hold it count a tenth.
        """
        count = held.at_peak + ELSEWHERE * held.elsewhere
        return np.asarray(count / (self.fact("n_examples") + DOUBT))

    def strongest(self, latent: int) -> Place | None:
        """A latent's strongest example; none where it has none."""
        owned = self._owned(latent)
        return self._example(int(owned[0])) if len(owned) else None

    def best_place(self, latent: int, phrase: Phrase) -> Place | None:
        """Its strongest example that peaks in a phrase, else its strongest that holds it."""
        owned, ranges = self._owned(latent), self.words.ranges(phrase)
        begin, end = (self._examples[name][owned] for name in ("words", "word_ends"))
        ranks = np.repeat(np.arange(len(owned)), end - begin)
        peaks = ranges_of(begin.astype(np.int64), end.astype(np.int64))
        peaking = [
            (int(ranks[np.argmax(hits)]), int(peaks[np.argmax(hits)]) - at)
            for at in range(len(ranges))
            if (hits := self.words.stands_at(peaks - at, ranges)).any()
        ]
        if peaking:
            rank, place = min(peaking)
            return self._place(int(owned[rank]), place, ranges)
        contexts = self._contexts(owned)
        starts, ends = self.words.offsets[contexts], self.words.offsets[contexts + 1]
        inside = ranges_of(starts, ends)
        hits = self.words.stands_at(inside, ranges)
        if not hits.any():
            return None
        first = int(np.argmax(hits))
        rank = int(np.searchsorted(np.cumsum(ends - starts), first, side="right"))
        return self._place(int(owned[rank]), int(inside[first]), ranges)

    def _owned(self, latent: int) -> Ints:
        owned = self._examples["owned"]
        return np.asarray(self._examples["by_latent"][owned[latent] : owned[latent + 1]])

    def _contexts(self, examples: Ints) -> Ints:
        return np.searchsorted(self._examples["offsets"], examples, side="right") - 1

    def _example(self, example: int) -> Place:
        return Place(
            context=int(self._contexts(np.array([example]))[0]),
            position=int(self._examples["positions"][example]),
            activation=float(self._examples["activations"][example]),
        )

    def _place(self, example: int, place: int, ranges: list[range]) -> Place:
        found = self._example(example)
        start, end = self.words.offsets[found.context : found.context + 2].tolist()
        stands = np.flatnonzero(self.words.stands_at(np.arange(start, end), ranges)).tolist()
        matches = tuple((first, first + len(ranges) - 1) for first in stands)
        return replace(found, word=place - start, matches=matches)

    def _count(self, examples: Ints) -> Ints:
        latents = self._examples["latents"][examples]
        return np.bincount(latents, minlength=len(self)).astype(np.int32)

    def _inside(self, examples: Ints, matches: Ints, length: int) -> npt.NDArray[np.bool_]:
        """Whether a word at the peak is one of a phrase that begins at some places."""
        begin, end = (self._examples[name][examples] for name in ("words", "word_ends"))
        before = np.searchsorted(matches, end, side="left") - 1
        last = matches[np.maximum(before, 0)] if len(matches) else end
        return (before >= 0) & (begin < end) & (last + length > begin)

    def _peaking(self, ranges: list[range]) -> Ints:
        """The examples that peak in a phrase, found by the words at the peaks."""
        found = []
        starts = self._examples["starts"]
        for at, numbers in enumerate(ranges):
            rows = slice(int(starts[numbers.start]), int(starts[numbers.stop]))
            places = self._examples["peaks"][rows].astype(np.int64)
            stands = self.words.stands_at(places - at, ranges)
            found.append(self._examples["by_word"][rows][stands])
        examples = np.sort(np.concatenate(found))
        return examples[np.diff(examples, prepend=-1) > 0]


def ranges_of(starts: Ints, ends: Ints) -> Ints:
    """The numbers of several ranges, one range after another."""
    sizes = ends - starts
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))
