"""What the contract's tests are given: a journal of one sort or the other."""

from __future__ import annotations

from collections.abc import Callable

from scoop_journal.base import BaseJournal


class Subject:
    """A journal under the contract, and how to have it opened again after its process died."""

    def __init__(self, journal: BaseJournal, reopen: Callable[[BaseJournal], BaseJournal]) -> None:
        self.journal = journal
        self._reopen = reopen

    def crash(self) -> BaseJournal:
        """Lose what was not committed and open again."""
        self.journal = self._reopen(self.journal)
        return self.journal
