"""Which latents have a token among those listed on their page, as the search box finds them."""

import numpy as np
import numpy.typing as npt

from featureviz.browse.search.finders import Scope
from featureviz.browse.search.language import Term
from featureviz.catalog.models import Run


def is_indexed(run: Run) -> bool:
    """Whether the tokens of a run's latents can be looked up."""
    return Scope.of(run) is not None


def having(run: Run, kind: str, text: str) -> npt.NDArray[np.bool_]:
    """The latents whose list of a kind has a token [d_sae]; all where none can be looked up.

    A star at the end finds tokens that begin so.
    """
    scope = Scope.of(run)
    if scope is None:
        return np.ones(run.dictionary.d_sae, np.bool_)
    is_beginning = text.endswith("*") and len(text) > 1
    term = Term(kind, text.removesuffix("*") if is_beginning else text, is_beginning)
    return scope.index.tokens[kind].totals(scope.tokens(term), len(scope)) > 0
