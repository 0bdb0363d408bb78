"""The functions that a worker has: their pickles, and those that are loaded.

Bounded in bytes: a script that captures something in a lambda has another function each time.
What a task here still calls, only the session knows; it says so.  No I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from ..functions import load_function
from .stateless import keeps_nothing

LOADED: Final = 1_024  # loaded functions kept,
LOADED_BYTES: Final = 32 << 20  # while their pickles have no more
SPARE_BYTES: Final = 16 << 20  # of pickles that nobody may need: then it is looked which are not


class Functions:
    """What a worker has of functions, by digest."""

    def __init__(self) -> None:
        self._pickles: dict[bytes, tuple[str, bytes]] = {}  # with its name
        self._lent: set[bytes] = set()  # those that the broker takes to be known here
        self._spare_bytes = 0  # pickles of others
        self._loaded: OrderedDict[bytes, Callable[..., Any]] = OrderedDict()
        self._weights: dict[bytes, int] = {}  # of these, the bytes of their pickles
        self._loaded_bytes = 0

    def __contains__(self, digest: object) -> bool:
        return digest in self._pickles

    def name(self, digest: bytes) -> str:
        """Return what people call a function."""
        return self._pickles[digest][0]

    def load(self, digest: bytes) -> Callable[..., Any]:
        """Return a function, loaded once, or once for each call that it could keep something of."""
        found = self._loaded.get(digest)
        if found is None:
            blob = self._pickles[digest][1]
            found = load_function(blob)
            if keeps_nothing(found):
                self._loaded[digest] = found
                self._weights[digest] = len(blob)
                self._loaded_bytes += len(blob)
                self._unload()
        return found

    def _unload(self) -> None:
        """Keep the last loaded function, and of those before what there is room for."""
        loaded = self._loaded
        while len(loaded) > 1 and (len(loaded) > LOADED or self._loaded_bytes > LOADED_BYTES):
            digest, _ = loaded.popitem(last=False)
            self._loaded_bytes -= self._weights.pop(digest)

    def is_shared(self, digest: bytes) -> bool:
        """Does one copy of a function that was just loaded serve other calls, too?"""
        return digest in self._loaded

    def add(self, digest: bytes, name: str, blob: bytes) -> None:
        """A task here calls a function."""
        if digest not in self._pickles:
            self._pickles[digest] = name, blob
            self._spare_bytes += len(blob)

    def lend(self, digest: bytes, name: str, blob: bytes) -> None:
        """The broker has sent a function, and counts on it from now on."""
        self._pickles[digest] = name, blob
        self._lent.add(digest)

    def give_back(self, digests: Collection[bytes]) -> None:
        """The broker counts on these no more."""
        self._lent.difference_update(digests)
        self._spare_bytes += sum(len(self._pickles[d][1]) for d in digests if d in self._pickles)

    def give_all_back(self) -> None:
        """A new connection begins, on which the broker counts on nothing."""
        self._lent.clear()
        self._spare_bytes = sum(len(blob) for _, blob in self._pickles.values())

    def may_have_spare(self) -> bool:
        """Is there so much that nobody may need that it is worth a look?"""
        return self._spare_bytes >= SPARE_BYTES

    def forget_all_but(self, needed: Iterable[bytes]) -> list[bytes]:
        """Forget what neither the broker counts on nor is needed here; return it."""
        kept = {*self._lent, *needed}
        gone = [digest for digest in self._pickles if digest not in kept]
        for digest in gone:
            del self._pickles[digest]
        self._spare_bytes = 0  # what was needed is looked at again with the next so many
        return gone
