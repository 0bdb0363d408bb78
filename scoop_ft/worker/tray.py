"""Where a runner puts results that nobody need hear of one by one.

The tasks of a piece are consecutive, and most only return something: their results are pickled one
behind another, and lie here until whoever sends them comes by.  The runner adds without a lock, in
an order in which a glance from another thread finds what is complete; all else is done under the
link's lock.  No I/O.
"""

from __future__ import annotations

from ..payload import Packed, Packer
from .spans import Piece, Span


class Tray:
    """The results of the first tasks of a piece.

    Attributes
    ----------
    span : Span
    piece : Piece or None
        What is run just now; None: nothing comes any more.
    packer : Packer
        The runner packs into it.
    """

    __slots__ = ("_first", "_sent", "packer", "piece", "span")

    def __init__(self, piece: Piece) -> None:
        self.span: Span = piece.span
        self.piece: Piece | None = piece
        self.packer = Packer()
        self._first = piece.next
        self._sent = 0

    def held(self) -> tuple[int, int]:
        """Return where the tasks start and stop that run, or whose results were not taken."""
        piece = self.piece
        stop = self._first + self.packer.count if piece is None else piece.next
        return self._first + self._sent, stop

    def take(self) -> tuple[int, Packed] | None:
        """Return what has come since the last time, with its first task; None: nothing."""
        packed = self.packer.since(self._sent)
        if not packed.objects:
            return None
        first = self._first + self._sent
        self._sent += packed.objects
        return first, packed
