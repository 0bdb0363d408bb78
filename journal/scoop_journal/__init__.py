"""A journal on LMDB: records in order, synced as a group, verified when read.

Public names only; nothing is defined here.  The package knows nothing of what it stores.
"""

from .compact import Compaction, compact, is_worthwhile
from .envelope import BUFFER
from .errors import (
    JournalBroken,
    JournalDamaged,
    JournalError,
    JournalExists,
    JournalForeign,
    JournalFull,
    JournalLocked,
    JournalMissing,
    JournalTooNew,
    JournalUnsynced,
    RecordMissing,
    UnsafeFilesystem,
)
from .memory import MemoryJournal
from .reader import Meta, Reader
from .verify import Report, verify
from .view import Record, View
from .writer import Journal

__all__ = [
    "BUFFER",
    "Compaction",
    "Journal",
    "JournalBroken",
    "JournalDamaged",
    "JournalError",
    "JournalExists",
    "JournalForeign",
    "JournalFull",
    "JournalLocked",
    "JournalMissing",
    "JournalTooNew",
    "JournalUnsynced",
    "MemoryJournal",
    "Meta",
    "Reader",
    "Record",
    "RecordMissing",
    "Report",
    "UnsafeFilesystem",
    "View",
    "compact",
    "is_worthwhile",
    "verify",
]
