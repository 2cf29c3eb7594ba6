"""Explanations found by their words: whole words, beginnings, words in a row."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from django.db.models import IntegerField, Q
from django.db.models.functions import Cast
from django.db.models.signals import post_save

from featureviz.annotate.models import Explanation
from featureviz.browse.search.models import ExplanationWord
from featureviz.dashboards.words import Ints, Phrase, spans

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

_BATCH = 1000


def follow() -> None:
    """Keep the words in step with every explanation that is saved."""
    post_save.connect(_saved, Explanation, dispatch_uid="search.explanation_words")


def reindex_explanations() -> int:
    """Gather the words of all explanations anew; returns how many there are."""
    count = 0
    with transaction.atomic():
        ExplanationWord.objects.all().delete()
        left = Explanation.objects.order_by("pk").iterator(_BATCH)
        while some := list(islice(left, _BATCH)):
            ExplanationWord.objects.bulk_create(_words(some), batch_size=_BATCH)
            count += len(some)
    return count


def explained(phrase: Phrase | None, user: "Reader") -> Ints:
    """The latents with an explanation that holds a phrase, or with any.

    Rows of dictionary, index, and 1 where it is the pinned one [n, 3].
    """
    found = Explanation.objects.readable(user).order_by()
    for at, word in enumerate(phrase.words if phrase else ()):
        is_beginning = bool(phrase and phrase.is_beginning and at == len(phrase) - 1)
        words = ExplanationWord.objects.filter(_is(word, is_beginning))
        found = found.filter(pk__in=words.values("explanation"))
    if phrase and len(phrase) > 1:  # which words stand in a row, only the text can tell
        texts = found.values_list("text", "dictionary_id", "index", "is_pinned")
        rows = [row for text, *row in texts if phrase.within(text)]
    elif phrase and not phrase.words:
        rows = []
    else:
        is_pinned = Cast("is_pinned", IntegerField())  # a boolean would be made of each row
        rows = list(found.values_list("dictionary_id", "index", is_pinned))
    return np.array(rows, np.int64).reshape(-1, 3)


def of_latents(wanted: Iterable[tuple[int, int]], user: "Reader") -> list[Explanation]:
    """The explanations of some latents (dictionary, index): the pinned first, then the oldest."""
    indices: dict[int, list[int]] = {}
    for dictionary, index in wanted:
        indices.setdefault(dictionary, []).append(index)
    if not indices:
        return []
    named = Q()
    for dictionary, some in indices.items():
        named |= Q(dictionary=dictionary, index__in=some)
    found = Explanation.objects.readable(user).filter(named)
    return list(found.order_by("-is_pinned", "created_at", "pk").select_related("author"))


def _is(word: str, is_beginning: bool) -> Q:
    encoded = word.encode()[: ExplanationWord.LONGEST]
    if not is_beginning:
        return Q(word=encoded)
    return Q(word__gte=encoded, word__lt=encoded + b"\xff")  # no UTF-8 holds this byte


def _saved(instance: Explanation, created: bool, **_: Any) -> None:
    if not created:
        ExplanationWord.objects.filter(explanation=instance).delete()
    ExplanationWord.objects.bulk_create(_words([instance]), batch_size=_BATCH)


def _words(explanations: Iterable[Explanation]) -> Iterator[ExplanationWord]:
    for explanation in explanations:
        words = {span.word.encode()[: ExplanationWord.LONGEST] for span in spans(explanation.text)}
        for word in sorted(words):
            yield ExplanationWord(explanation=explanation, word=word)
