"""A run's journal, opened to be looked into; what everything here needs first."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import NamedTuple

from scoop_journal import JournalError, Reader, RecordMissing

from ..broker import offline
from ..broker.book import Book
from ..errors import RunError
from ..launch import moved
from ..rundir import RunDir, RunInfo
from .questions import Item
from .rows import Row


class Opened(NamedTuple):
    """A run, what its journal says, and the journal."""

    info: RunInfo
    book: Book
    reader: Reader

    def function(self, row: Row) -> str:
        """Return the name of a task's function."""
        return self.book.function_name(row.function)

    def functions(self, rows: Iterable[Row]) -> dict[bytes, bytes]:
        """Return the pickles of these tasks' functions."""
        found = {}
        with self.reader.reading() as view:
            for digest in {row.function for row in rows}:
                try:
                    found[digest] = bytes(view.record(self.book.functions[digest][0]).payload)
                except (KeyError, RecordMissing):
                    continue  # its arguments are shown without their names
        return found

    def item(self, row: Row, *, result: bool) -> Item:
        """Return a task as something to be shown."""
        answer = row.answer if result else None
        name, function = row.place.name, self.function(row)
        item = Item(name, function, row.function, row.arguments, row.buffers)
        if answer is not None:
            item.result, item.result_buffers = answer.payload, answer.buffers
        return item


@contextmanager
def opened(directory: RunDir) -> Generator[Opened, None, None]:
    """Open a run's journal.

    Raises
    ------
    RunError
        It cannot be read: the message says why and what to do.
    """
    info = moved.to_look(directory)
    try:
        book, reader = offline.read(directory.journal, unsafe_filesystem=info.unsafe_filesystem)
        with reader:
            yield Opened(info, book, reader)
    except JournalError as error:
        raise RunError(str(error)) from error
