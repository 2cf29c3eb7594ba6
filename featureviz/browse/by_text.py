"""The latents most active on a text: overall, or on one of its tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from django.core.paginator import Page, Paginator

from featureviz.browse.asking import Asked
from featureviz.browse.ranges import Range, RangeError, holds, read_range, tidy
from featureviz.browse.rows import level_of
from featureviz.browse.typed_text import ask, text_of
from featureviz.catalog.columns import Columns
from featureviz.catalog.models import Latent, Question, Run
from featureviz.dashboards.text import readable

PAGE_SIZE = 50
SORTS = {
    "activation": "activation",
    "share": "of its maximum",
    "tokens": "tokens",
    "density": "density",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the text."""

    position: int
    text: str
    is_counted: bool  # start and special tokens are not
    n_active: int  # latents
    strongest: float  # activation of any latent on it, in size
    level: int  # of that, on the colour scale of the whole text
    query: str  # of the page sorted by this token
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A latent that is active on the text."""

    latent: Latent
    activation: float  # on the token asked for, else its greatest in size
    share: float  # of its own maximum in the run
    token: str  # it has this activation on
    position: int
    n_tokens: int  # of the text it is active on
    levels: tuple[int, ...]  # on every token, on its own colour scale

    @property
    def address(self) -> str:
        """Where it is read."""
        return self.latent.get_absolute_url()


@dataclass(frozen=True)
class ByText:
    """One text, one dictionary; everything is in the address."""

    query: Mapping[str, str]
    runs: Sequence[Run]

    @classmethod
    def of(cls, query: Mapping[str, str], runs: Sequence[Run]) -> "ByText":
        """Read an address; what is not understood is the default."""
        return cls({name: query[name] for name in query}, runs)

    @property
    def given(self) -> str:
        """The text, as the address has it."""
        return self.query.get("text", "")

    @cached_property
    def text(self) -> str:
        """The text; empty where there is none, or none that is kept."""
        return text_of(self.given) or ""

    @cached_property
    def run(self) -> Run | None:
        """The dictionary asked for, else the first there is."""
        named = [run for run in self.runs if str(run.dictionary) == self.query.get("where")]
        return next(iter([*named, *self.runs]), None)

    @cached_property
    def asked(self) -> Asked | None:
        """The question; none where nothing was typed."""
        if self.run is None or not self.text.strip():
            return None
        return ask(self.run, Question.Kind.LATENTS, text=self.text)

    @property
    def answer(self) -> Mapping[str, Any] | None:
        """The worker's, once it is there."""
        return self.asked.answer if self.asked else None

    @property
    def sort(self) -> str:
        """What latents are sorted by."""
        asked = self.query.get("sort", "")
        return asked if asked in SORTS else "activation"

    @property
    def sorts(self) -> list[tuple[str, str, str]]:
        """Name, words and address of each way to sort."""
        return [(name, words, self.address(sort=name, page="")) for name, words in SORTS.items()]

    @cached_property
    def density(self) -> tuple[Range, str]:
        """The densities asked for, and what is wrong with how that was written."""
        typed = tidy(self.query.get("density", ""))
        if not typed:
            return Range(), ""
        try:
            return read_range(typed), ""
        except RangeError as error:
            return Range(), str(error)

    @cached_property
    def token(self) -> int | None:
        """The position latents are sorted by; none: all tokens together."""
        asked = self.query.get("token", "")
        if self.answer is None or not (asked.isascii() and asked.isdigit()):
            return None
        return int(asked) if int(asked[:9]) < len(self.answer["tokens"]) else None

    def address(self, **changes: str) -> str:
        """This page with changes; defaults are left out."""
        kept = {**self.query, **changes}
        return f"?{urlencode({name: value for name, value in kept.items() if value})}"

    @cached_property
    def tokens(self) -> list[Token]:
        """The text, token by token."""
        if self.answer is None:
            return []
        positions, values, _ = self._actives
        n = len(self.answer["tokens"])
        strongest = np.zeros(n)
        np.maximum.at(strongest, positions, np.abs(values))
        counts = np.bincount(positions, minlength=n)
        return [self._token(at, strongest, int(counts[at])) for at in range(n)]

    @cached_property
    def page(self) -> "Page[Any] | None":
        """One page of latents; empty pages do not exist, the nearest one is shown."""
        if self.answer is None or self.run is None:
            return None
        return Paginator(self._ranked(), PAGE_SIZE).get_page(self.query.get("page"))

    @cached_property
    def found(self) -> list[Found]:
        """The latents of this page."""
        if self.page is None or self.run is None:
            return []
        rows = self.run.latents.filter(index__in=[each[1] for each in self.page])
        latents = {latent.index: latent for latent in rows}
        for latent in latents.values():
            latent.run = self.run
        return [self._found(latents[index]) for _, index in self.page]

    def _ranked(self) -> list[tuple[float, int]]:
        """(what it is sorted by, latent), largest first, among those of the densities asked for."""
        positions, values, latents = self._actives
        if self.token is not None:
            at = positions == self.token
            values, latents = values[at], latents[at]
        strengths = self._strengths(latents, values)
        ranked = sorted(((-strength, index) for index, strength in strengths.items()))
        return [(-strength, index) for strength, index in ranked]

    def _strengths(
        self, latents: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
    ) -> dict[int, float]:
        """What each latent of the densities asked for is sorted by."""
        assert self.run is not None
        found, row = np.unique(latents, return_inverse=True)
        strongest = np.zeros(len(found))
        np.maximum.at(strongest, row, np.abs(values))
        columns = Columns.of(self.run)
        at = np.searchsorted(columns.index, found)
        density = columns["density"][at]
        match self.sort:
            case "share":
                top = np.maximum(columns["max_activation"][at], -columns["min_activation"][at])
                by = strongest / np.where(top > 0, top, 1.0)
            case "tokens":
                by = np.bincount(row, minlength=len(found)).astype(np.float64)
            case "density":
                by = -density  # the rarest first: they say most about the text
            case _:
                by = strongest
        kept = holds(self.density[0], density)
        return dict(zip(found[kept].tolist(), by[kept].tolist(), strict=True))

    @cached_property
    def _actives(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Positions, values and latents of everything active."""
        answer = self.answer or {"positions": [], "values": [], "latents": []}
        return (
            np.array(answer["positions"], np.int64),
            np.array(answer["values"], np.float64),
            np.array(answer["latents"], np.int64),
        )

    def _found(self, latent: Latent) -> Found:
        positions, values, latents = self._actives
        mine = latents == latent.index
        at, own = positions[mine], values[mine]
        chosen = int(np.flatnonzero(at == self.token)[0]) if self.token is not None else None
        best = int(np.abs(own).argmax()) if chosen is None else chosen
        top = latent.max_activation if own[best] > 0 else latent.min_activation
        levels = [0] * len(self.tokens)
        for position, value in zip(at.tolist(), own.tolist(), strict=True):
            levels[position] = level_of(value, top)
        return Found(
            latent=latent,
            activation=float(own[best]),
            share=float(own[best] / top) if top else 0.0,
            token=self.tokens[int(at[best])].text,
            position=int(at[best]),
            n_tokens=len(at),
            levels=tuple(levels),
        )

    def _token(self, at: int, strongest: npt.NDArray[np.float64], count: int) -> Token:
        assert self.answer is not None
        assert self.run is not None
        piece = self.run.corpus.stored.vocabulary[self.answer["tokens"][at]]
        chosen = self.token == at
        return Token(
            position=at,
            text=readable(piece),
            is_counted=self.answer["counted"][at],
            n_active=count,
            strongest=float(strongest[at]),
            level=level_of(float(strongest[at]), float(strongest.max())),
            query=self.address(token="" if chosen else str(at), page=""),
            is_chosen=chosen,
        )
