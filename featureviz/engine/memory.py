"""What a process that computes asks of the C library's memory."""

from __future__ import annotations

import ctypes
from functools import lru_cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT, _OWN = (1 << 31) - 1, 1 << 30  # bytes


@lru_cache(maxsize=1)
def reuse_memory() -> None:
    """Have memory that was freed used again, however large the matrices in it were.

    Else glibc maps new pages for each batch's, and the system has to clear every one of them: 6 %
    of a pass, and most of what differs from one pass to the next. Elsewhere nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _OWN)
    mallopt(_TRIM_THRESHOLD, _KEPT)
