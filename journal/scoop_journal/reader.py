"""Read a journal from outside: beside its live writer, or after it died.

Changes nothing.  Each reading is one short read transaction: a long one would keep the writer from
using freed space again.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .condition import Found, Intent, inspect, inspect_file, map_bytes, require
from .envelope import unpack_named
from .filesystem import require_safe
from .layout import DATA_FILE, FIRST_SEQ, LOCK_FILE, MAGIC_KEY, NEXT_KEY, RUN_KEY, unpack_magic
from .ownership import has_owner, read_owner
from .packing import needed_bytes
from .store import Store, read_next
from .view import Checked, Record, View, fold

if TYPE_CHECKING:
    from typing_extensions import Self


class Meta(NamedTuple):
    """What a journal says about itself."""

    run: str
    format: int
    next_seq: int


def _may_write(path: Path) -> bool:
    """Whether a file can be written to, or made."""
    return os.access(path if path.exists() else path.parent, os.W_OK)


class Reader:
    """A journal, open for reading only.  Use ``open``."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self._store = store

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, unsafe_filesystem: bool = False) -> Self:
        """Open a journal for reading.

        A journal without a live writer has its pages checked first, so that a damaged one cannot
        end this process; its records are verified as they are read.

        Raises
        ------
        JournalMissing, JournalForeign, JournalTooNew, JournalDamaged
            By what was found there.
        """
        folder = Path(path)
        if not unsafe_filesystem:
            require_safe(folder)
        require(folder, inspect_file(folder), Intent.USE)
        owner = read_owner(folder)
        live = owner is not None and owner.lives
        finding = inspect(folder, live=live, records=False)
        if finding.found is Found.BAD_PAGES and not live and has_owner(folder):
            # A writer came to life meanwhile (or hides behind a process namespace).
            finding = inspect(folder, live=True, records=False)
        require(folder, finding, Intent.USE)
        # What is at rest needs no table of readers, which not everybody may write to.
        lock = live or _may_write(folder / LOCK_FILE) or has_owner(folder)
        return cls(folder, Store(folder, map_size=map_bytes(folder), write=False, lock=lock))

    @property
    def meta(self) -> Meta:
        """What the journal says about itself, now."""
        with self._store.snapshot() as snapshot:
            run = bytes(unpack_named(RUN_KEY, snapshot.meta(RUN_KEY) or b"")).decode()
            number = unpack_magic(snapshot.meta(MAGIC_KEY)) or 0
            return Meta(run, number, read_next(snapshot.meta(NEXT_KEY) or b""))

    @property
    def size_bytes(self) -> int:
        """The size of the data file."""
        return (self.path / DATA_FILE).stat().st_size

    @property
    def live_bytes(self) -> int:
        """The size of the pages in use."""
        return self._store.live_bytes()

    def needed_bytes(self) -> int:
        """Estimate how large the data file would be if it were compacted; looks at every record."""
        return needed_bytes(self._store)

    def scan(
        self, start: int = FIRST_SEQ, *, payloads: bool = True
    ) -> Iterator[tuple[int, Record]]:
        """Go through the records from ``start`` on, in order, each one verified.

        Without ``payloads`` those are not read: only their lengths are known.
        """
        with self._store.snapshot() as snapshot:
            yield from fold(snapshot.items(start), payloads=payloads)

    @contextmanager
    def reading(self) -> Generator[View, None, None]:
        """Read records by number, without copying; keep it short."""
        with self._store.snapshot() as snapshot:
            view = View(snapshot.get, Checked())
            try:
                yield view
            finally:
                view.close()

    def blob(self, name: bytes) -> bytes | None:
        """Read a named value."""
        with self._store.snapshot() as snapshot:
            data = snapshot.blob(name)
            return None if data is None else bytes(unpack_named(name, data))

    def blobs(self) -> Iterator[tuple[bytes, bytes]]:
        """Go through all named values, by name."""
        with self._store.snapshot() as snapshot:
            for name, data in snapshot.blobs():
                yield name, bytes(unpack_named(name, data))

    def close(self) -> None:
        """Close; closing twice is no error."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
