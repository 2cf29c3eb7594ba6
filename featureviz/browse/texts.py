"""Where the text of a row is read."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Starts(Protocol):
    """How contexts begin."""

    @property
    def has_bos(self) -> bool:
        """Whether position 0 is the start token."""


class Texts(Protocol):
    """Where a row's text is read: a stored corpus, or one typed text in its shape."""

    @property
    def facts(self) -> Starts:
        """How contexts begin."""

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """Token ids [n_contexts, n_ctx]."""

    @property
    def lengths(self) -> Sequence[int] | npt.NDArray[np.int32]:
        """Positions of each context that are not padding."""

    @property
    def vocabulary(self) -> Sequence[bytes]:
        """The bytes of every token."""
