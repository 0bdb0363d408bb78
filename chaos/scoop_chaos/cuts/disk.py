"""What a disk may hold after a power cut: what was synced, and any part of what came later.

Pages of 4 KiB are kept or lost one by one, in any order; of a page that was written several times
any version may be there, and a torn one may mix versions by sectors of 512 bytes.  The file may be
as long as its last page that was kept, or longer with zeros.  After a sync that failed nothing that
it should have stored can be relied upon, whatever later syncs say, until it is written again.

Only a model: it reads a log's events and writes nothing.  Not modelled: sectors that turn to other
bytes than were ever written, and files truncated or written through a map, which the journal never
does (`UnknownCall`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from random import Random

from .log import Event, Kind

PAGE = 4096
SECTOR = 512
_CACHE = 200  # a lying disk still loses this many of the writes that it said were synced


class Lie(str, Enum):
    """What a disk (or a journal opened without its syncs) only pretends to do."""

    NONE = "none"
    META = "meta"  # what is written with O_DSYNC waits for the next sync: metasync=False
    ALL = "all"  # nothing is synced, until much more was written: sync=False


class UnknownCall(AssertionError):
    """The journal's file was changed in a way that the model does not know."""


@dataclass(eq=False)
class _Piece:
    """The part of a write that is on one page."""

    page: int
    start: int
    data: bytes
    done: bool = False
    doomed: bool = False  # a sync of it has failed


class Disk:
    """The journal's file: what is surely on the disk, and what may be.

    Parameters
    ----------
    lie : Lie
        What it does not do.
    """

    def __init__(self, lie: Lie = Lie.NONE) -> None:
        self.lie = lie
        self._safe = bytearray()
        self._pending: list[_Piece] = []
        self._last: list[_Piece] = []  # the pieces of the last write
        self._syncing: list[_Piece] = []

    def happen(self, event: Event) -> None:
        """Take the next event of the log."""
        if event.kind is Kind.WRITING:
            self._last = list(_pieces(event.offset, event.data))
            self._pending += self._last
        elif event.kind is Kind.WRITTEN:
            self._written(event)
        elif event.kind is Kind.SYNCING:
            self._syncing = list(self._pending)
        elif event.kind is Kind.SYNCED:
            self._synced(event)
        elif event.kind is Kind.TRUNCATED or event.kind is Kind.MAP_SYNCED:
            raise UnknownCall(event.kind.name)

    def _written(self, event: Event) -> None:
        for piece in self._last:
            piece.done = True
        if event.result < 0:
            self._forget_last()
        elif self.lie is Lie.ALL:
            self._settle({piece.page for piece in self._pending[:-_CACHE]})
        elif event.direct and self.lie is Lie.NONE:
            self._settle({piece.page for piece in self._last})

    def _synced(self, event: Event) -> None:
        syncing, self._syncing = self._syncing, []
        if event.result < 0:
            for piece in syncing:
                piece.doomed = True
        elif self.lie is not Lie.ALL:
            self._settle({piece.page for piece in syncing if not piece.doomed})

    def _settle(self, pages: set[int]) -> None:
        """These pages are stored, as they are now."""
        for piece in self._pending:
            if piece.page in pages:
                _put(self._safe, piece.page * PAGE + piece.start, piece.data)
        self._pending = [piece for piece in self._pending if piece.page not in pages]

    def _forget_last(self) -> None:
        last = set(map(id, self._last))
        self._pending = [piece for piece in self._pending if id(piece) not in last]

    # ---- while the machine is up ----------------------------------------------------------------

    def whole(self) -> bytes:
        """Return what a process that reads the file now finds in it."""
        image = bytearray(self._safe)
        for piece in self._pending:
            _put(image, piece.page * PAGE + piece.start, piece.data)
        return bytes(image)

    def meet(self, content: bytes) -> None:
        """Compare with what the file was found to hold.

        The last write may or may not be there when its broker did not live to see its end.

        Raises
        ------
        UnknownCall
            It holds what no broker has written.
        """
        if content != self.whole() and self._last and not self._last[0].done:
            self._forget_last()
        if content != self.whole():
            raise UnknownCall("the file holds what the log does not")
        for piece in self._last:
            piece.done = True

    # ---- the cut --------------------------------------------------------------------------------

    def cut(self, draw: Random, torn: float) -> bytes:
        """Return what the disk may hold if the power fails now.

        Parameters
        ----------
        draw : Random
            Decides.
        torn : float
            The share of cuts that tear pages into sectors.
        """
        share = draw.choice((0.0, 1.0, draw.random(), draw.random()))
        sectors = draw.random() < torn
        image = bytearray(self._safe)
        for page, versions in self._versions().items():
            if sectors:
                for at in range(0, PAGE, SECTOR):
                    kept = _choose(draw, versions, share)
                    if kept is not None:
                        _put(image, page * PAGE + at, kept[at : at + SECTOR])
            else:
                kept = _choose(draw, versions, share)
                if kept is not None:
                    _put(image, page * PAGE, kept)
        longest = max((p.page * PAGE + p.start + len(p.data) for p in self._pending), default=0)
        if longest > len(image) and draw.random() < 0.25:
            image.extend(bytes(longest - len(image)))
        return bytes(image)

    def _versions(self) -> dict[int, list[bytes]]:
        """Return, for each page with pending writes, what it held after each of them."""
        found: dict[int, list[bytes]] = {}
        for piece in self._pending:
            versions = found.setdefault(piece.page, [])
            start = piece.page * PAGE
            before = versions[-1] if versions else bytes(self._safe[start : start + PAGE])
            now = bytearray(before.ljust(PAGE, b"\0"))
            _put(now, piece.start, piece.data)
            versions.append(bytes(now))
        return found


def _pieces(offset: int, data: bytes) -> Iterator[_Piece]:
    at = 0
    while at < len(data):
        page, start = divmod(offset + at, PAGE)
        size = min(PAGE - start, len(data) - at)
        yield _Piece(page, start, data[at : at + size])
        at += size


def _choose(draw: Random, versions: list[bytes], share: float) -> bytes | None:
    """Choose which version was stored; None: not even the first."""
    if draw.random() >= share:
        return None
    return versions[-1] if draw.random() < 0.5 else draw.choice(versions)


def _put(image: bytearray, offset: int, data: bytes) -> None:
    if len(image) < offset + len(data):
        image.extend(bytes(offset + len(data) - len(image)))
    image[offset : offset + len(data)] = data
