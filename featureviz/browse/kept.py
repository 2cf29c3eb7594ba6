"""Parts of a page that are drawn once and kept: what a run's numbers alone decide.

A latent's dashboard never changes, so its plots, tables and examples look the same to every reader
and at every visit. What a reader may see and what was typed is drawn anew; so is what people write,
unless it is in the key.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from django.utils.safestring import SafeString, mark_safe

MOST_BYTES = 64 << 20  # in one process; a latent's parts are a third of a megabyte


class Kept:
    """Bytes by what decides them; those not asked for longest go first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._parts: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._parts)

    def part(self, key: Hashable, draw: Callable[[], SafeString]) -> SafeString:
        """The part of a page under this key, drawn if it is not there."""
        found = self.made(key, lambda: draw().encode())
        return mark_safe(found.decode())  # noqa: S308 - as a template drew it

    def made(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The bytes under this key, made if they are not there."""
        found = self.find(key)
        if found is None:
            found = make()  # two readers at once may make it twice; that harms nobody
            self.keep(key, found)
        return found

    def find(self, key: Hashable) -> bytes | None:
        """The bytes under this key, if they are there."""
        with self._lock:
            found = self._parts.get(key)
            if found is not None:
                self._parts.move_to_end(key)
        return found

    def keep(self, key: Hashable, made: bytes) -> None:
        """Keep them, in the place of what is there."""
        with self._lock:
            self._bytes += len(made) - len(self._parts.pop(key, b""))
            self._parts[key] = made
            while self._bytes > self._most:
                _, oldest = self._parts.popitem(last=False)
                self._bytes -= len(oldest)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._parts.clear()
            self._bytes = 0


KEPT = Kept()
