"""What is recorded of the user's code: which version of each file the run uses, and its versions.

Pure bookkeeping, driven by records in order, live and in recovery alike; a file's bytes are a named
value of the journal, under their digest.

A **launch** is what lies between two resumes.  It runs its own version of each file, those it has
named since it began (`current`).  The version before is kept until the launch has computed
something: one that is stopped at once, because the user sees that he should not have edited, takes
nothing away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..wire.messages import Environment, Source, SourceRef

BLOB_PREFIX = b"source/"
LAUNCH: Final = Source(0, "", "launch", "", b"")  # what is recorded where a launch begins


def blob_name(digest: bytes) -> bytes:
    """Return under which name the journal has the bytes of this digest."""
    return BLOB_PREFIX + digest


@dataclass(frozen=True)
class Entry:
    """A file as it is recorded: the number of its record, and what that says."""

    seq: int
    ref: SourceRef


class Code:
    """The user's code and the versions of a run.

    Attributes
    ----------
    recorded : dict
        The newest version of each file, by the module's name, of this launch or an earlier one.
    environment : Environment or None
        The Python and the packages of the last launch that said so.
    is_ours : bool
        That was this launch.
    launch_seq : int
        The number of the record where this launch begins; 0: it is the first one.
    """

    def __init__(self) -> None:
        self.recorded: dict[str, Entry] = {}
        self.environment: Environment | None = None
        self.is_ours = False
        self._environment_seq = self.launch_seq = 0
        self._current: set[str] = set()
        self._before: dict[str, Entry] = {}
        self._settled = False
        self._dropped: list[Entry] = []
        self._dropped_records: list[tuple[int, int]] = []

    # ---- reading ---------------------------------------------------------------------------

    def current(self, name: str) -> SourceRef | None:
        """Return the version of a module that this launch runs; None when it has named none."""
        return self.recorded[name].ref if name in self._current else None

    def all_current(self) -> list[SourceRef]:
        """Return all that this launch has named, in the order in which it was first recorded."""
        return [entry.ref for name, entry in self.recorded.items() if name in self._current]

    def is_news(self, said: Environment) -> bool:
        """Do these versions tell more than what this launch has said?"""
        known = self.environment
        if known is None or not self.is_ours:
            return True
        same = (said.python, said.implementation) == (known.python, known.implementation)
        return said != known and (said.complete or not same)  # a root that was started again

    def take_dropped(self) -> tuple[list[tuple[int, int]], list[bytes]]:
        """Return, once, the records and the digests of bytes that nothing needs any more."""
        dropped, self._dropped = self._dropped, []
        records, self._dropped_records = self._dropped_records, []
        used = {entry.ref.digest for entry in self._entries()}
        digests = {entry.ref.digest: None for entry in dropped if entry.ref.digest not in used}
        return records + [(entry.seq, 1) for entry in dropped], list(digests)

    def _entries(self) -> Iterator[Entry]:
        yield from self.recorded.values()
        yield from self._before.values()

    # ---- one method a kind of record -----------------------------------------------------------

    def apply_source(self, seq: int, m: Source) -> None:
        """A file is recorded; it is what this launch runs.  Or a launch begins."""
        if m.kind == LAUNCH.kind:
            self._begin_launch(seq)
            return
        older = self.recorded.get(m.name)
        if older is not None:
            if m.name in self._current or self._settled:
                self._dropped.append(older)
            else:
                self._before[m.name] = older
        self.recorded[m.name] = Entry(seq, SourceRef(m.name, m.kind, m.path, m.digest))
        self._current.add(m.name)

    def apply_environment(self, seq: int, environment: Environment) -> None:
        """The versions of this launch are recorded."""
        if self._environment_seq:
            self._dropped_records.append((self._environment_seq, 1))
        self._environment_seq = seq
        self.environment = environment
        self.is_ours = True

    def settle(self) -> None:
        """This launch has computed something: the versions before are history."""
        if not self._settled:
            self._settled = True
            self._dropped.extend(self._before.values())
            self._before.clear()

    def _begin_launch(self, seq: int) -> None:
        """The run is resumed; what the launch before has named counts if it has computed."""
        if self.launch_seq:
            self._dropped_records.append((self.launch_seq, 1))
        self.launch_seq = seq
        for name, older in self._before.items():
            self._dropped.append(self.recorded[name])
            self.recorded[name] = older
        self._before.clear()
        self._current.clear()
        self._settled = False
        self.is_ours = False
