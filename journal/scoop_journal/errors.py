"""Every refusal of the journal, by name: whose fault, what happened, what to do next.

Nothing but exceptions may live here.  Each message is one line that ends with the way out.
"""

from __future__ import annotations


class JournalError(Exception):
    """Base of all that the journal raises on purpose."""


class JournalMissing(JournalError):
    """There is no journal at this place."""


class JournalExists(JournalError):
    """A new journal was asked for where something already is."""


class JournalForeign(JournalError):
    """What is there was not written by this library."""


class JournalTooNew(JournalError):
    """The journal was written in a format newer than this version can read."""


class JournalDamaged(JournalError):
    """The journal is ours, but bytes in it are not what was written.

    Attributes
    ----------
    seq : int or None
        The number of the damaged record, where one record is to blame.
    """

    def __init__(self, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


class JournalUnsynced(JournalError):
    """The machine stopped while the journal was written without syncing: bytes may be missing."""


class JournalLocked(JournalError):
    """Another process (or another object of this one) owns the journal."""


class JournalFull(JournalError):
    """The file system has no room.  Nothing is lost: all stays staged, and ``commit`` may be
    called again when there is room."""


class JournalBroken(JournalError):
    """The operating system failed to store what it was given.  The journal takes nothing more;
    what was committed before is safe and can be opened again."""


class UnsafeFilesystem(JournalError):
    """The folder is on a file system where LMDB is not safe."""


class RecordMissing(JournalError, KeyError):
    """No record has this number (it was deleted, or never given)."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes
