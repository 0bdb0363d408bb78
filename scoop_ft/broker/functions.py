"""Which functions are recorded, what they mean, and which of them nothing needs any more.

A part of the book.  Decides nothing about tasks, and drops no records itself: it says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from ..wire.messages import SMALL_BYTES, Define
from .records import Edit

SPARE: Final = 256  # small ones kept though no task calls them: what they mean, and what they take


class FunctionCode(NamedTuple):
    """What a function means, under which Python, and the files that say so (see `Define`)."""

    digest: bytes
    python: str
    sources: list[tuple[str, int, int]]


class Functions:
    """The recorded functions of a run.

    Attributes
    ----------
    known : dict
        The number of each one's record, and its name, by digest.
    codes : dict of FunctionCode
        What each means now.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[int, str]] = {}
        self.codes: dict[bytes, FunctionCode] = {}
        self._calls: Counter[bytes] = Counter()  # how many batches call it
        self._uncalled: dict[bytes, None] = {}  # those that none calls now, the last one last
        self._large: set[bytes] = set()  # those that have captured something

    def record(self, seq: int, m: Define, payload_bytes: int) -> None:
        """A function is recorded; the first one of its digest counts."""
        if m.digest not in self.known:
            self.known[m.digest] = (seq, m.name)
            self.codes[m.digest] = FunctionCode(m.code, m.python, m.sources)
            self._uncalled[m.digest] = None
            if payload_bytes > SMALL_BYTES:
                self._large.add(m.digest)

    def edit(self, m: Edit) -> None:
        """A function means something else now."""
        self.codes[m.function] = FunctionCode(m.code, m.python, m.sources)

    def called(self, functions: Iterable[bytes]) -> None:
        """A batch that calls these is recorded."""
        self._calls.update(functions)

    def left(self, functions: Sequence[bytes]) -> None:
        """A batch that called these is no more."""
        self._calls.subtract(functions)
        for digest in functions:
            if not self._calls[digest]:
                del self._calls[digest]
                self._uncalled.pop(digest, None)
                self._uncalled[digest] = None

    def forget_all_uncalled(self) -> list[int]:
        """Forget what no task calls; return the numbers of the records."""
        self._uncalled.clear()
        return self._forget([digest for digest in self.known if digest not in self._calls])

    def forget_uncalled(self, relied: Collection[bytes]) -> tuple[list[bytes], list[int]]:
        """Forget what no task calls any more, but for some; return it, and the records' numbers.

        The last small ones stay: a script calls the same few by their names again and again, and
        its saved state was made with them, which is told when they are edited.
        """
        uncalled = [
            digest
            for digest in self._uncalled
            if digest in self.known and not (digest in self._calls or digest in relied)
        ]
        small = [digest for digest in uncalled if digest not in self._large]
        self._uncalled = dict.fromkeys(small[max(len(small) - SPARE, 0) :])
        gone = [digest for digest in uncalled if digest not in self._uncalled]
        return gone, self._forget(gone)

    def _forget(self, gone: Iterable[bytes]) -> list[int]:
        numbers = []
        for digest in gone:
            numbers.append(self.known.pop(digest)[0])
            self.codes.pop(digest, None)
            self._large.discard(digest)
        return numbers
