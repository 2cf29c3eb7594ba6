"""What people wrote, found by its words: whole words, beginnings, words in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.signals import post_save

from featureviz.annotate.models import Comment, Explanation, Tag
from featureviz.browse.search.models import CommentWord, ExplanationWord, TagWord, Word
from featureviz.catalog.listed import many_whole_numbers, whole_numbers
from featureviz.celery import Queue, enqueue
from featureviz.dashboards.words import Ints, Phrase, spans

if TYPE_CHECKING:
    from featureviz.annotate.models import Reader

_BATCH = 1000
_MANY = 1000  # texts
_NONE = np.empty(0, np.int64)

_Spelling = tuple[str, tuple[bytes, ...]]  # a condition on rows of words, and what it is given
_LAST = b"\xff"  # no UTF-8 holds it
_DICTIONARY = 33  # bits below it: more than twice any index needs


@dataclass(frozen=True, slots=True)
class Written:
    """A kind of text, and the rows its words are kept in."""

    name: str  # of the kind, and of the text in a row of words
    texts: Any  # the model of the texts
    words: Any  # and of their words
    column: str  # of the text
    gone: str  # the column of when it was taken away
    order: tuple[str, ...]  # of a latent's

    @property
    def place(self) -> str:
        """Dictionary, index, and whether a text heads its latent's page, as one number, in SQL.

        Made by the database: of the thousands that hold a frequent word, rows would cost more.
        """
        # no other than an explanation heads a page, or fails to
        heads = "CAST(is_pinned AS integer)" if self.texts is Explanation else "1"
        return f'dictionary_id * {1 << _DICTIONARY} + "index" * 2 + {heads}'

    @property
    def word_rows(self) -> str:
        """The table of words."""
        return str(self.words._meta.db_table)

    def standing(self, n_dictionaries: int) -> str:
        """The texts of so many dictionaries that nobody took away, in SQL."""
        among = ", ".join(["%s"] * n_dictionaries)
        table = self.texts._meta.db_table
        return f"{table} WHERE {self.gone} IS NULL AND dictionary_id IN ({among})"

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
            *("explanation", Explanation, ExplanationWord, "text", "withdrawn_at"),
            ("-is_pinned", "created_at", "pk"),
        ),
        Written("tag", Tag, TagWord, "name", "removed_at", ("name", "pk")),
        Written("comment", Comment, CommentWord, "text", "withdrawn_at", ("created_at", "pk")),
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
        indices = (places & (1 << _DICTIONARY) - 1) >> 1
        return np.stack([places >> _DICTIONARY, indices, places & 1]).T

    def _places(self, kind: Written, phrase: Phrase | None) -> Ints:
        if not self.dictionaries:
            return _NONE
        if phrase is None:
            return self._all(kind)[1]
        count = self._count(kind, phrase)
        if not count:
            return _NONE
        words = _spellings(phrase)
        if len(words) == 1 and count > _MANY:  # then the database takes longer to look each up
            holds, given = words[0]
            rows = f"{kind.word_rows} WHERE {holds}"
            (keys,) = many_whole_numbers([f"{kind.name}_id"], rows, given)
            every, places = self._all(kind)
            return places[np.isin(every, keys)]
        rows, given = self._holding(kind, words)
        if len(words) == 1:
            return whole_numbers([kind.place], rows, given)[0]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {kind.column}, {kind.place} FROM {rows}", given)  # noqa: S608
            texts = cursor.fetchall()
        # Which words stand in a row, only the text can tell.
        return np.array([place for text, place in texts if phrase.within(text)], np.int64)

    def _holding(self, kind: Written, words: Sequence[_Spelling]) -> tuple[str, tuple[Any, ...]]:
        """The texts with all of some words, in SQL, and what that is given."""
        among = " AND id IN (SELECT {}_id FROM {} WHERE {})"
        rows = kind.standing(len(self.dictionaries))
        rows += "".join(among.format(kind.name, kind.word_rows, holds) for holds, _ in words)
        return rows, (*self.dictionaries, *chain.from_iterable(given for _, given in words))

    def _count(self, kind: Written, phrase: Phrase) -> int:
        """Texts at most, as far as it matters; of most words somebody types, none of any kind."""
        if phrase not in self._counts:
            self._counts[phrase] = _counted(phrase) if phrase.words else {}
        return self._counts[phrase].get(kind.name, 0)

    def _all(self, kind: Written) -> tuple[Ints, Ints]:
        if kind.name not in self._standing:
            rows = kind.standing(len(self.dictionaries))
            keys, places = many_whole_numbers(["id", kind.place], rows, self.dictionaries)
            self._standing[kind.name] = keys, places
        return self._standing[kind.name]


def _counted(phrase: Phrase) -> dict[str, int]:
    """How many texts of each kind have its rarest word, counted no further than it matters."""
    words = _spellings(phrase)
    counted = "(SELECT COUNT(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT {}) AS few)"
    counts = [
        counted.format(kind.word_rows, holds, _MANY + 1)
        for kind in WRITTEN.values()
        for holds, _ in words
    ]
    given = [*chain.from_iterable(each for _, each in words)] * len(WRITTEN)
    with connection.cursor() as cursor:  # all in one; the mapper would ask for each alone
        cursor.execute(f"SELECT {', '.join(counts)}", given)
        row = cursor.fetchone()
    rarest = [min(row[at : at + len(words)]) for at in range(0, len(row), len(words))]
    return dict(zip(WRITTEN, rarest, strict=True))


def _spellings(phrase: Phrase) -> list[_Spelling]:
    """Each word of a phrase."""
    words: list[_Spelling] = [("word = %s", (_encoded(word),)) for word in phrase.words]
    if phrase.is_beginning and words:
        first = _encoded(phrase.words[-1])
        words[-1] = ("word BETWEEN %s AND %s", (first, first + _LAST))
    return words


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


def _encoded(word: str) -> bytes:
    return word.encode()[: Word.LONGEST]


def _saved(sender: Any, instance: Any, created: bool, **_: Any) -> None:
    kind = next(each for each in WRITTEN.values() if each.texts is sender)
    if not created:
        kind.words.objects.filter(**{kind.name: instance}).delete()
    kind.words.objects.bulk_create(kind.words_of([instance]), batch_size=_BATCH)
    if sender is Explanation and settings.FEATUREVIZ_EMBEDDING_MODEL:
        enqueue("meaning.embed", queue=Queue.CPU)
