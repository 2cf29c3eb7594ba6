"""Which kinds of things people left on a latent, in one query.

Most latents have none, and a page that asked for each kind in turn would spend most of its time on
learning that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.db import connection

from featureviz.annotate.models import (
    Comment,
    Explanation,
    LatentLink,
    LatentList,
    Star,
    Tag,
)
from featureviz.catalog.models import Latent
from featureviz.catalog.reading import reader


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is, withdrawn or not, whoever may read it."""

    explanations: bool
    comments: bool
    tags: bool  # that nobody took off
    links: bool  # texts elsewhere that name it
    star: bool  # the person's own
    lists: bool  # anywhere: what it might be put into

    @classmethod
    def on(cls, latent: Latent) -> Traces:
        """What is on a latent, for whoever reads now."""
        place = [latent.run.dictionary_id, latent.index]
        with connection.cursor() as cursor:
            cursor.execute(_question(), [*place * len(_ON_LATENT), reader().user_id])
            return cls(*map(bool, cursor.fetchone()))


# A condition more, beside the place, that lets the database use the index there is.
_ON_LATENT = (
    (Explanation, ""),
    (Comment, ""),
    (Tag, "AND removed_at IS NULL"),
    (LatentLink, ""),
    (Star, "AND user_id = %s"),
)


@cache
def _question() -> str:
    """Written once: the mapper would take longer to write it than the database to answer."""
    anywhere = "SELECT 1 FROM {}"
    here = f'{anywhere} WHERE dictionary_id = %s AND "index" = %s {{}}'
    kinds = [here.format(kind._meta.db_table, more) for kind, more in _ON_LATENT]
    kinds.append(anywhere.format(LatentList._meta.db_table))
    return f"SELECT {', '.join(f'EXISTS ({kind})' for kind in kinds)}"
