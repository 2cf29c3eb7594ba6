"""Latents worth a first look, as the demo's training record names them.

Read from `latents` of record.json: by class of token ("arabic", "digit"…), by dictionary ("A-1"),
a latent chosen by measurement on held-out text. One that is not published here is left out; so is
what cannot be read.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from featureviz.catalog.addresses import find_latent
from featureviz.catalog.models import Latent

RECORD = Path(settings.BASE_DIR) / "featureviz/demo/weights/record.json"
_MOST_NEIGHBOURS = 4
_TITLES = {
    "arabic": "Arabic script",
    "hebrew": "Hebrew script",
    "cyrillic": "Cyrillic script",
    "greek": "Greek script",
    "hangul": "Korean script",
    "han": "Chinese characters",
    "digit": "Digits",
    "self": "The word “self”",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A latent to try, and why."""

    latent: Latent
    title: str
    n_active: int  # held-out tokens it fires on
    share: float  # of those, in the class: its specificity
    siblings: tuple[Latent, ...]  # of the same dictionary, for the same class
    parents: tuple[Latent, ...]  # of the smaller dictionary, pointing the same way


def suggestions(record: Path = RECORD) -> list[Suggestion]:
    """The latents to try that can be read here."""
    chosen = _chosen(record)
    kinds = [kind for kind in _TITLES if kind in chosen]
    return [each for kind in kinds for each in _suggested(kind, chosen[kind])]


def _suggested(kind: str, chosen: dict[str, Any]) -> Iterator[Suggestion]:
    with suppress(KeyError, TypeError, ValueError):
        best = chosen["A-1"]
        for latent in _found("1", [best["index"]]):
            yield Suggestion(
                latent=latent,
                title=_TITLES[kind],
                n_active=int(best["active"]),
                share=float(best["share"]),
                siblings=_found("1", [each["index"] for each in chosen["A-1_siblings"]]),
                parents=_found("0", [each["latent"]["index"] for each in chosen["A-0_parents"]]),
            )


def _found(dictionary: str, indices: list[int]) -> tuple[Latent, ...]:
    latents = (find_latent("A", dictionary, index) for index in indices[:_MOST_NEIGHBOURS])
    return tuple(latent for latent in latents if latent)


@lru_cache(maxsize=4)
def _chosen(record: Path) -> dict[str, Any]:
    try:
        chosen = json.loads(record.read_text(encoding="utf-8"))["latents"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return chosen if isinstance(chosen, dict) else {}
