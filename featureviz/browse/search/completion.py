"""What may stand where somebody types: operators, their values, tokens, dictionaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from django.db.models import Count

from featureviz.annotate.models import Tag
from featureviz.browse.formats import whole
from featureviz.browse.search.finders import Scope
from featureviz.browse.search.language import CHOICES, NAMES, NUMBERS, TEXTS, quoted
from featureviz.dashboards.words import fold

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

_MOST = 8
_LOOKED_AT = 400  # tokens that begin as what is typed, of which the most frequent are offered
_TYPED = re.compile(r'-?(?:([A-Za-z]+):)?("?)((?:[^"\\]|\\.)*)$')
_START = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*(?:"|$))+$')
_TOKEN_LISTS = ("fires", "promotes", "suppresses")
_NUMBERS = {
    "density": ("<0.1%", "0.1%..1%", ">10%"),
    "max": (">1", ">3"),
    "mean": (">1",),
    "min": ("<0",),
    "tokens": (">100", "<=10"),
    "index": ("0..99",),
}


@dataclass(frozen=True, slots=True)
class Option:
    """A way to go on."""

    text: str  # takes the place of the term at the cursor
    hint: str
    is_whole: bool = True  # a term that is complete: a blank may follow


@dataclass(frozen=True, slots=True)
class Completion:
    """Ways to go on, and the characters they take the place of."""

    start: int
    end: int
    options: tuple[Option, ...]


def complete(text: str, cursor: int, scopes: Sequence[Scope], user: Reader) -> Completion:
    """Ways to go on at a place of a query."""
    before = text[:cursor]
    begun = _START.search(before)
    start = begun.start() if begun else cursor
    typed = _TYPED.match(before[start:])
    options = islice(_options(typed, scopes, user), _MOST) if typed and begun else ()
    return Completion(start, cursor, tuple(options))


def _options(typed: re.Match[str], scopes: Sequence[Scope], user: Reader) -> Iterator[Option]:
    minus = "-" if typed.group().startswith("-") else ""
    name, quote, text = (typed[1] or "").lower(), typed[2], typed[3]
    if name in _TOKEN_LISTS:
        found = _tokens(name, text, scopes)
        yield from (Option(f"{minus}{name}:{each.text}", each.hint) for each in found)
    elif name == "dict":
        yield from _dictionaries(minus, text, scopes)
    elif name == "tag":
        yield from _tags(minus, text, scopes, user)
    elif name in CHOICES:
        for choice, hint in CHOICES[name].items():
            if choice.startswith(text.lower()):
                yield Option(f"{minus}{name}:{choice}", hint)
    elif name in NUMBERS:
        for value in _NUMBERS[name]:
            if value.startswith(text):
                yield Option(f"{minus}{name}:{value}", NUMBERS[name])
    elif not name and not quote:
        yield from _operators(minus, text.lower())
        if text and not minus:
            found = _tokens("fires", text, scopes)
            yield from (Option(f"fires:{each.text}", each.hint) for each in found)


def _operators(minus: str, text: str) -> Iterator[Option]:
    hints = {**TEXTS, **NUMBERS, **NAMES}
    hints |= {name: ", ".join(choices) for name, choices in CHOICES.items()}
    for name, hint in hints.items():
        if name.startswith(text):
            yield Option(f"{minus}{name}:", hint, is_whole=False)


def _dictionaries(minus: str, text: str, scopes: Sequence[Scope]) -> Iterator[Option]:
    for scope in scopes:
        if scope.address.lower().startswith(text.lower()):
            yield Option(f"{minus}dict:{scope.address}", f"{whole(len(scope))} latents")


def _tags(minus: str, text: str, scopes: Sequence[Scope], user: Reader) -> Iterator[Option]:
    """Tags that begin so, those of most latents first."""
    here = Tag.objects.readable(user).filter(
        dictionary__in=[scope.run.dictionary_id for scope in scopes]
    )
    counts = here.order_by().values_list("name").annotate(n=Count("pk"))
    begun = [(name, n) for name, n in counts if fold(name).startswith(fold(text))]
    for name, count in sorted(begun, key=lambda each: (-each[1], each[0]))[:_MOST]:
        yield Option(f"{minus}tag:{_value(name)}", f"{whole(count)} latent{'s' * (count != 1)}")


def _tokens(kind: str, text: str, scopes: Sequence[Scope]) -> list[Option]:
    """Tokens that begin so, those of most latents first."""
    counts: dict[str, int] = {}
    wanted = fold(text).strip(" ")
    for scope in scopes:
        words, lists = scope.index.words, scope.index.tokens[kind]
        for number in islice(words.tokens.range_of(wanted, is_beginning=True), _LOOKED_AT):
            count = lists.n_latents(int(words.token_ids[number]))
            if count:
                found = words.tokens[number]
                counts[found] = counts.get(found, 0) + count
    most = sorted(counts, key=lambda each: (each != wanted, -counts[each], each))
    return [Option(_value(each), f"{whole(counts[each])} latents") for each in most[:_MOST]]


def _value(text: str) -> str:
    return text if re.fullmatch(r"\w+", text) else quoted(text)
