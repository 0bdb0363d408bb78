"""Where a runner puts results that nobody need hear of one by one.

The tasks of a piece are consecutive, and most only return something: their results lie here,
numbers as they are and all else pickled one behind another, until whoever sends them comes by.  The
runner adds without a lock, in an order in which a glance from another thread finds what is
complete; all else is done under the link's lock.  No I/O.
"""

from __future__ import annotations

from typing import Any, Final

from .. import columns
from ..payload import Packed, Packer
from .spans import Piece, Span

TRAY_BYTES: Final = 4 << 20  # results that are more than this go by themselves


class Tray:
    """The results of tasks of a span that follow each other.

    Attributes
    ----------
    span : Span
    piece : Piece or None
        What is run just now; None: nothing comes, unless the next piece is the one that follows.
    numbers : list
        The runner puts results here that are numbers, while the packer is empty.
    packer : Packer
        The runner packs into it, from the first result on that is none.
    """

    __slots__ = ("_first", "_sent", "_stop", "numbers", "packer", "piece", "span")

    def __init__(self, piece: Piece) -> None:
        self.span: Span = piece.span
        self.piece: Piece | None = piece
        self.numbers: list[Any] = []
        self.packer = Packer()
        self._first = piece.next
        self._sent = 0
        self._stop = 0  # how many results there are, once nothing comes

    def close(self) -> None:
        """Nothing comes: a result that is being packed just now is none of this tray's."""
        self.piece = None
        self._stop = self._count()

    def _count(self) -> int:
        """Return how many results there are; in this order, for the runner goes on meanwhile."""
        packed = self.packer.count
        return packed + len(self.numbers)

    def goes_on(self, piece: Piece) -> bool:
        """Take the results of one more piece, if it follows and there is room."""
        packer = self.packer
        follows = piece.span is self.span and piece.next == self._first + self._stop
        if self.piece is not None or not follows or self._count() != self._stop:
            return False
        size = packer.size_bytes + columns.WIDEST * len(self.numbers)
        if size >= TRAY_BYTES or packer.buffers:
            return False
        self.piece = piece
        return True

    def held(self) -> tuple[int, int]:
        """Return where the tasks start and stop that run, or whose results were not taken."""
        piece = self.piece
        stop = self._first + self._stop if piece is None else piece.next
        return self._first + self._sent, stop

    def take(self) -> tuple[int, Packed] | None:
        """Return what has come since the last time, with its first task; None: nothing."""
        stop = self._count() if self.piece is not None else self._stop
        begin, self._sent = self._sent, stop
        if begin == stop:
            return None
        numbers = len(self.numbers)
        packed = self.packer.since(max(begin - numbers, 0), max(stop - numbers, 0))
        if begin < numbers:
            packed = packed.behind(*columns.dump_each(self.numbers[begin:stop]))
        return self._first + begin, packed

    def last(self) -> Packed:
        """Return the result that was being packed as the tray was closed."""
        return self.packer.since(self._stop - len(self.numbers))
