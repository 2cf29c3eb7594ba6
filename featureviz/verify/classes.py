"""How a latent keeps to classes of tokens; which token is in which class is taken as stored."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from featureviz.dashboards.class_store import CorpusClasses, Marks
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard
from featureviz.verify.findings import Finding, count, number, relative
from featureviz.verify.truth import Truth


def profiles(page: Dashboard, truth: Truth) -> Iterator[Finding]:
    """Tokens in the class, active ones among them, their activation, the correlation."""
    if not page.profiles:
        return
    names, marks = _marks(truth.corpus)
    counted = np.asarray(truth.corpus.counted).reshape(-1)
    f = truth.column(page.index)
    for profile in page.profiles:
        column = names.index(profile.name)
        member, score = marks.members[counted, column], marks.scores[counted, column]
        what = f"profile {profile.name}"
        yield number(page.index, f"{what}: n_tokens", profile.n_tokens, int(member.sum()))
        active = int((member & (f > 0)).sum())
        yield count(page.index, f"{what}: n_active", profile.n_active, active)
        yield relative(page.index, f"{what}: total", profile.total, float(f[member].sum()), 1e-3)
        pearson = float(np.corrcoef(f, score.astype(np.float64))[0, 1]) if f.any() else None
        yield number(page.index, f"{what}: pearson", profile.pearson, pearson, 1e-4)
        inside = sum(profile.in_intervals)
        yield number(page.index, f"{what}: intervals", inside, profile.n_active)


@lru_cache(maxsize=1)
def _marks(corpus: StoredCorpus) -> tuple[list[str], Marks]:
    classes = CorpusClasses.of(corpus)
    return [one.name for one in classes.facts], classes.marks(range(corpus.facts.n_contexts))
