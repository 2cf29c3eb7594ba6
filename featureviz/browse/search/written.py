"""What people wrote, found by its words: whole words, beginnings, words in a row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    ExpressionWrapper,
    F,
    IntegerField,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast
from django.db.models.signals import post_save

from featureviz.annotate.models import Comment, Explanation, Tag
from featureviz.browse.search.models import CommentWord, ExplanationWord, TagWord, Word
from featureviz.celery import enqueue
from featureviz.dashboards.words import Ints, Phrase, spans

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

_BATCH = 1000
_DICTIONARY = 1 << 33  # more than twice any index


@dataclass(frozen=True, slots=True)
class Written:
    """A kind of text, and the rows its words are kept in."""

    name: str  # of the kind, and of the text in a row of words
    texts: Any  # the model of the texts
    words: Any  # and of their words
    column: str  # of the text
    order: tuple[str, ...]  # of a latent's

    @property
    def place(self) -> Any:
        """Dictionary, index, and whether a text heads its latent's page, as one number.

        Made by the database: of the thousands that hold a frequent word, rows would cost more.
        """
        place = F("dictionary_id") * Value(_DICTIONARY) + F("index") * Value(2)
        if self.texts is Explanation:  # no other heads a page, or fails to
            place += Cast("is_pinned", IntegerField())
        else:
            place += Value(1)
        return ExpressionWrapper(place, BigIntegerField())

    def words_of(self, texts: Iterable[Any]) -> Iterator[Word]:
        """The rows of some texts."""
        for text in texts:
            written = spans(getattr(text, self.column))
            words = {span.word.encode()[: Word.LONGEST] for span in written}
            for word in sorted(words):
                yield self.words(**{self.name: text}, word=word)


WRITTEN = {
    each.name: each
    for each in (
        Written(
            "explanation", Explanation, ExplanationWord, "text", ("-is_pinned", "created_at", "pk")
        ),
        Written("tag", Tag, TagWord, "name", ("name", "pk")),
        Written("comment", Comment, CommentWord, "text", ("created_at", "pk")),
    )
}


def follow() -> None:
    """Keep the words in step with every text that is saved."""
    for kind in WRITTEN.values():
        post_save.connect(_saved, kind.texts, dispatch_uid=f"search.{kind.name}_words")


def reindex_written() -> dict[str, int]:
    """Gather the words of all that was written anew; returns how many texts of each kind."""
    return {name: _reindex(kind) for name, kind in WRITTEN.items()}


def holding(name: str, phrase: Phrase | None, user: "Reader") -> Ints:
    """The latents with a text of one kind that holds a phrase, or with any.

    Rows of dictionary, index, and 1 where the text heads the page or its kind knows no such [n, 3].
    """
    kind = WRITTEN[name]
    words = (
        []
        if phrase is None
        else [
            kind.words.objects.filter(_is(word, phrase.is_beginning and at == len(phrase) - 1))
            for at, word in enumerate(phrase.words)
        ]
    )
    if phrase is not None and not (words and all(each.exists() for each in words)):
        return np.empty((0, 3), np.int64)  # all signs, or a word nobody wrote: most are
    found = kind.texts.objects.readable(user).order_by()
    for each in words:
        found = found.filter(pk__in=each.values(name))
    if phrase and len(phrase) > 1:  # which words stand in a row, only the text can tell
        texts = found.values_list(kind.column, kind.place)
        places = [place for text, place in texts if phrase.within(text)]
    else:
        places = _numbers(found.values_list(kind.place))
    rows = np.array(places, np.int64)
    return np.stack([rows // _DICTIONARY, rows % _DICTIONARY // 2, rows % 2], axis=1)


def of_latents(name: str, wanted: Iterable[tuple[int, int]], user: "Reader") -> list[Any]:
    """The texts of one kind of some latents (dictionary, index), in the order pages have them."""
    indices: dict[int, list[int]] = {}
    for dictionary, index in wanted:
        indices.setdefault(dictionary, []).append(index)
    if not indices:
        return []
    named = Q()
    for dictionary, some in indices.items():
        named |= Q(dictionary=dictionary, index__in=some)
    kind = WRITTEN[name]
    found = kind.texts.objects.readable(user).filter(named)
    return list(found.order_by(*kind.order).select_related("author"))


def _reindex(kind: Written) -> int:
    count = 0
    with transaction.atomic():
        kind.words.objects.all().delete()
        left = kind.texts.objects.order_by("pk").iterator(_BATCH)
        while some := list(islice(left, _BATCH)):
            kind.words.objects.bulk_create(kind.words_of(some), batch_size=_BATCH)
            count += len(some)
    return count


def _numbers(found: "QuerySet[Any, tuple[Any, ...]]") -> list[int]:
    """The numbers of a query's one column; Django would look at each of thousands three times."""
    try:
        query = found.query.sql_with_params()
    except EmptyResultSet:  # it knows without asking
        return []
    with connection.cursor() as cursor:
        cursor.execute(*query)
        return list(chain.from_iterable(cursor.fetchall()))


def _is(word: str, is_beginning: bool) -> Q:
    encoded = word.encode()[: Word.LONGEST]
    if not is_beginning:
        return Q(word=encoded)
    return Q(word__gte=encoded, word__lt=encoded + b"\xff")  # no UTF-8 holds this byte


def _saved(sender: Any, instance: Any, created: bool, **_: Any) -> None:
    kind = next(each for each in WRITTEN.values() if each.texts is sender)
    if not created:
        kind.words.objects.filter(**{kind.name: instance}).delete()
    kind.words.objects.bulk_create(kind.words_of([instance]), batch_size=_BATCH)
    if sender is Explanation and settings.FEATUREVIZ_EMBEDDING_MODEL:
        enqueue("meaning.embed")
