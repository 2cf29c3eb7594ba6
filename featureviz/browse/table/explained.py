"""Which latents of a dictionary somebody explained, and how."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from django.db.models.functions import Substr

from featureviz.annotate.models import Explanation
from featureviz.browse.search.written import WRITTEN
from featureviz.catalog.listed import many_whole_numbers
from featureviz.catalog.models import Dictionary

_LINE = 200  # characters of an explanation in a table


def explained(dictionary: Dictionary) -> npt.NDArray[np.bool_]:
    """Whether each latent has an explanation that stands [d_sae]."""
    standing = WRITTEN["explanation"].standing(n_dictionaries=1)
    (found,) = many_whole_numbers(['"index"'], standing, [dictionary.pk])
    has = np.zeros(dictionary.d_sae, np.bool_)
    has[found[found < dictionary.d_sae]] = True
    return has


def lines(dictionary: Dictionary, indices: Sequence[int]) -> dict[int, str]:
    """What heads each latent's explanations, as one line: the pinned one, else the oldest."""
    standing = Explanation.objects.standing().filter(dictionary=dictionary, index__in=indices)
    ranked = standing.order_by("index", "-is_pinned", "created_at", "pk")
    found: dict[int, str] = {}
    for index, text in ranked.values_list("index", Substr("text", 1, _LINE + 1)):
        found.setdefault(index, _one_line(text))
    return found


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[:_LINE].rstrip()}…" if len(line) > _LINE else line
