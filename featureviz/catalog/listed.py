"""Whole numbers of very many rows at once.

The database writes them all as one text, which numpy reads: as rows, thousands take the mapper
longer than everything else on a page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Aggregate, QuerySet, TextField


def whole_numbers(rows: QuerySet[Any], *numbers: Any) -> list[npt.NDArray[np.int64]]:
    """Whole numbers of each row, named by their fields or as expressions, each [n_rows].

    In no order, but in the same one.
    """
    names = [f"listed_{at}" for at in range(len(numbers))]
    listed = dict(zip(names, map(_Listed, numbers), strict=True))
    found = rows.order_by().aggregate(**listed)
    return [np.fromstring(found[name] or "", np.int64, sep=",") for name in names]


class _Listed(Aggregate):
    function = "group_concat"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """As this database says it."""
        return self.as_sql(compiler, connection, template="string_agg(%(expressions)s::text, ',')")
