"""What people wrote, found by its words: whole words, beginnings, words in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
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
from featureviz.catalog.listed import whole_numbers
from featureviz.celery import Queue, enqueue
from featureviz.dashboards.words import Ints, Phrase, spans

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

_BATCH = 1000
_MANY = 1000  # texts
_LAST = b"\xff"  # no UTF-8 holds it
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
            words = {_encoded(span.word) for span in written}
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


@dataclass(frozen=True)
class Said:
    """What stands of some dictionaries, for one search.

    Of dictionaries the reader may read: whoever may read one may read what is said of it.
    """

    dictionaries: tuple[int, ...]
    _standing: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)  # keys and places
    _counts: dict[Phrase, dict[str, int]] = field(default_factory=dict)  # by kind

    def holding(self, name: str, phrase: Phrase | None) -> Ints:
        """The latents with a text of one kind that holds a phrase, or with any.

        Rows of dictionary, index, and 1 where the text heads the page or its kind knows no such
        [n, 3].
        """
        places = self._places(WRITTEN[name], phrase)
        return np.stack([places // _DICTIONARY, places % _DICTIONARY // 2, places % 2], axis=1)

    def _places(self, kind: Written, phrase: Phrase | None) -> Ints:
        if phrase is None:
            return self._all(kind)[1]
        count = self._count(kind, phrase)
        if not count:
            return np.empty(0, np.int64)
        words = [
            kind.words.objects.filter(_is(word, phrase.is_beginning and at == len(phrase) - 1))
            for at, word in enumerate(phrase.words)
        ]
        if len(words) == 1 and count > _MANY:  # then the database takes longer to look each up
            (keys,) = whole_numbers(words[0], kind.name)
            every, places = self._all(kind)
            return places[np.isin(every, keys)]
        found = self._texts(kind)
        for each in words:
            found = found.filter(pk__in=each.values(kind.name))
        if len(words) == 1:
            return whole_numbers(found, kind.place)[0]
        # Which words stand in a row, only the text can tell.
        texts = found.values_list(kind.column, kind.place)
        return np.array([place for text, place in texts if phrase.within(text)], np.int64)

    def _count(self, kind: Written, phrase: Phrase) -> int:
        """Texts at most, as far as it matters; of most words somebody types, none of any kind."""
        if phrase not in self._counts:
            self._counts[phrase] = _counted(phrase) if phrase.words else {}
        return self._counts[phrase].get(kind.name, 0)

    def _all(self, kind: Written) -> tuple[Ints, Ints]:
        if kind.name not in self._standing:
            keys, places = whole_numbers(self._texts(kind), "pk", kind.place)
            self._standing[kind.name] = keys, places
        return self._standing[kind.name]

    def _texts(self, kind: Written) -> QuerySet[Any]:
        standing: QuerySet[Any] = kind.texts.objects.standing()
        return standing.filter(dictionary__in=self.dictionaries).order_by()


def _counted(phrase: Phrase) -> dict[str, int]:
    """How many texts of each kind have its rarest word, counted no further than it matters."""
    whole, last = phrase.words[:-1], phrase.words[-1]
    bounds = [(_encoded(word), _encoded(word)) for word in whole]
    bounds.append((_encoded(last), _encoded(last) + _LAST * phrase.is_beginning))
    some = "SELECT 1 FROM {} WHERE word BETWEEN %s AND %s LIMIT {}"
    tables = [kind.words._meta.db_table for kind in WRITTEN.values() for _ in bounds]
    counted = "(SELECT COUNT(*) FROM ({}) AS few)"
    counts = [counted.format(some.format(table, _MANY + 1)) for table in tables]
    with connection.cursor() as cursor:  # all in one; the mapper would ask for each alone
        cursor.execute(f"SELECT {', '.join(counts)}", [*chain(*bounds)] * len(WRITTEN))
        row = cursor.fetchone()
    rarest = [min(row[at : at + len(bounds)]) for at in range(0, len(row), len(bounds))]
    return dict(zip(WRITTEN, rarest, strict=True))


def of_latents(name: str, wanted: Iterable[tuple[int, int]], user: Reader) -> list[Any]:
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


def _is(word: str, is_beginning: bool) -> Q:
    encoded = _encoded(word)
    if not is_beginning:
        return Q(word=encoded)
    return Q(word__gte=encoded, word__lt=encoded + _LAST)


def _encoded(word: str) -> bytes:
    return word.encode()[: Word.LONGEST]


def _saved(sender: Any, instance: Any, created: bool, **_: Any) -> None:
    kind = next(each for each in WRITTEN.values() if each.texts is sender)
    if not created:
        kind.words.objects.filter(**{kind.name: instance}).delete()
    kind.words.objects.bulk_create(kind.words_of([instance]), batch_size=_BATCH)
    if sender is Explanation and settings.FEATUREVIZ_EMBEDDING_MODEL:
        enqueue("meaning.embed", queue=Queue.CPU)
