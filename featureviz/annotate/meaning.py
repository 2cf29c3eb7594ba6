"""Explanations as vectors: which are still to be read for their meaning, and what was read."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.db.models import Exists, OuterRef

from featureviz.annotate.models import Explanation, ExplanationVector

STORED = np.dtype("<f4")


def unread(model: str, most: int) -> list[Explanation]:
    """Explanations that stand whose text this model has not read, the oldest first."""
    read = ExplanationVector.objects.filter(
        model=model, explanation=OuterRef("pk"), version=OuterRef("version")
    )
    found = Explanation.objects.standing().filter(~Exists(read))
    return list(found.order_by("pk")[:most])


@transaction.atomic
def keep(explanations: Sequence[Explanation], model: str, vectors: npt.NDArray[np.float32]) -> None:
    """What a model read [n, d], in place of what was read before."""
    ExplanationVector.objects.filter(explanation__in=explanations).delete()
    rows = [
        ExplanationVector(
            explanation=each, version=each.version, model=model, vector=vector.tobytes()
        )
        for each, vector in zip(explanations, vectors.astype(STORED), strict=True)
    ]
    ExplanationVector.objects.bulk_create(rows, ignore_conflicts=True)  # of another worker
