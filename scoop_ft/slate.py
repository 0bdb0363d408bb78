"""The slate: 112 bytes of shared memory on which a worker says what it runs.

The worker writes it without a system call as it starts and ends tasks; its agent reads it, also
after the worker's death: that is how a crash is blamed on the task that ran.  Both are on one
machine, so numbers are in its own byte order.

====== ====== ==========================================
offset bytes  content
====== ====== ==========================================
0      16     batch id of the task that runs
16     8      its index in the batch
24     8      tasks done
32     8      1 while a task runs
40     8      1 once the broker has welcomed the worker
48     8      tasks done after which the worker retires; 0: never (the agent writes it)
56     8      1 once the worker retires of itself
64     8      when the task's time limit is over: monotonic clock, ns; 0: none
72     8      1 once the worker ends of itself, 2 since it could not import the script, 3 since
              its machine lacks something; 0: it is its task that has ended it
80     8      1 once the worker has imported the script
88     8      1 once the agent wants it gone, and sends SIGTERM (the agent writes it)
96     8      the index, and 1, of the task of this batch that was cancelled while it ran; 0: none
104    8      1 when others waited in this process as it was cancelled
====== ====== ==========================================
"""

from __future__ import annotations

import mmap
import os
from typing import Final

from .ids import BATCH_ID_BYTES, task_id

SIZE: Final = 112
INDEX: Final = 2  # places in `Slate.words`
DONE: Final = 3
RUNNING: Final = 4
READY: Final = 5
RETIRE_AT: Final = 6
RETIRED: Final = 7
DEADLINE: Final = 8
LEFT: Final = 9
IMPORTED: Final = 10
UNWANTED: Final = 11
CANCELLED: Final = 12
BESIDE: Final = 13

OF_ITSELF, NO_IMPORT, LACKS, STALE = 1, 2, 3, 4  # why a worker has left

_PATIENCE: Final = 10  # looks at a slate that changes all the time


class Slate:
    """A mapped slate.

    Attributes
    ----------
    words : memoryview
        The slate as fourteen unsigned 64-bit numbers, for a worker in a hurry.
    """

    def __init__(self, path: str | os.PathLike[str], flags: int) -> None:
        descriptor = os.open(path, flags, 0o600)
        try:
            if flags & os.O_CREAT:
                # Not a hole: with the disk full, writing to one would kill the worker.
                os.write(descriptor, bytes(SIZE))
            self._map = mmap.mmap(descriptor, SIZE)
        finally:
            os.close(descriptor)
        self._bytes = memoryview(self._map)
        self.words = self._bytes.cast("Q")

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Slate:
        """Make a clean slate; for the agent, before the worker starts."""
        return cls(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Slate:
        """Open a slate that is there; for the worker."""
        return cls(path, os.O_RDWR)

    # ---- the worker's side ----------------------------------------------------------------------

    def ready(self) -> None:
        """Say that the worker has come up."""
        self.words[READY] = 1

    def start(self, batch: bytes, index: int) -> None:
        """Say that a task begins."""
        words = self.words
        words[RUNNING] = 0  # nobody is to blame while the name changes
        words[DEADLINE] = 0
        words[CANCELLED] = 0
        self._bytes[:BATCH_ID_BYTES] = batch
        words[INDEX] = index
        words[RUNNING] = 1

    def finish(self) -> None:
        """Say that the task has ended."""
        words = self.words
        words[RUNNING] = 0
        words[DONE] += 1

    def pause(self) -> None:
        """Say that no task runs just now, though none has ended: it waits for others."""
        self.words[RUNNING] = 0

    def imported(self) -> None:
        """Say that the script could be imported."""
        self.words[IMPORTED] = 1

    def is_unwanted(self) -> bool:
        """Tell whether the agent has asked the worker to leave."""
        return bool(self.words[UNWANTED])

    def leave(self, why: int = OF_ITSELF) -> None:
        """Say that the worker ends, whatever it runs: nobody is to blame, or this machine."""
        self.words[LEFT] = why

    # ---- the agent's side -----------------------------------------------------------------------

    def read(self) -> tuple[bytes, int]:
        """Return the id of the task that runs (empty for none), and how many were done."""
        task, done, _ = self.look()
        return task, done

    def look(self) -> tuple[bytes, int, int]:
        """Return what `read` does, and when the task's time limit is over (see above)."""
        for _ in range(_PATIENCE):
            once = bytes(self._bytes)
            if once == bytes(self._bytes):  # else the worker was writing meanwhile
                break
        words = memoryview(once).cast("Q")
        if not words[RUNNING]:
            return b"", words[DONE], 0
        return task_id(once[:BATCH_ID_BYTES], words[INDEX]), words[DONE], words[DEADLINE]

    def is_ready(self) -> bool:
        """Tell whether the worker has come up."""
        return bool(self.words[READY] or self.words[DONE] or self.words[RUNNING])

    def retire_after(self, tasks: int) -> None:
        """Let the worker make room for another once it has done so many tasks."""
        self.words[RETIRE_AT] = tasks

    def has_retired(self) -> bool:
        """Tell whether the worker has gone since it was due."""
        return bool(self.words[RETIRED])

    def has_left(self) -> bool:
        """Tell whether the worker has ended of itself."""
        return bool(self.words[LEFT])

    def dismiss(self) -> None:
        """Say that the worker is to leave: SIGTERM follows."""
        self.words[UNWANTED] = 1

    def has_imported(self) -> bool:
        """Tell whether the worker has imported the script."""
        return bool(self.words[IMPORTED])

    def is_unfit(self) -> bool:
        """Tell whether the worker has ended for a reason that lies in this machine."""
        return self.words[LEFT] in (NO_IMPORT, LACKS)

    def lacks(self) -> bool:
        """Tell whether this machine lacks something that others have."""
        return self.words[LEFT] == LACKS

    def is_stale(self) -> bool:
        """Tell whether the worker has ended since it had imported code that was edited."""
        return self.words[LEFT] == STALE

    def is_cancelled(self) -> bool:
        """Tell whether nobody wants the task that runs."""
        words = self.words
        return bool(words[RUNNING]) and words[CANCELLED] == words[INDEX] + 1

    def has_others(self) -> bool:
        """Tell whether others waited beside the task that was cancelled."""
        return bool(self.words[BESIDE])

    def close(self) -> None:
        """Unmap it; the file stays."""
        self.words.release()
        self._bytes.release()
        self._map.close()
