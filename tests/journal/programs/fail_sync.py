"""Commit until the disk fails, and say by what names.  Argument: the journal's folder."""

from __future__ import annotations

import sys

from scoop_journal import Journal, JournalError

journal = Journal.open(sys.argv[1])
for _ in range(100):
    journal.append(1, b"record")
    try:
        committed = journal.commit()
    except JournalError as error:
        print(committed, type(error).__name__, error)
        break
for call in (journal.commit, lambda: journal.append(1, b""), lambda: list(journal.scan())):
    try:
        call()
    except JournalError as error:
        print(type(error).__name__)
journal.close()
