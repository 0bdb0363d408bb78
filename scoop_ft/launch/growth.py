"""The journal's size: when it is worth a warning, and what is given back to the disk.

A run's journal is compacted where that gives something back: at the run's end and before it is
resumed, never while a broker serves.  What cannot be done is said, and nothing else hangs on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from ..errors import RunError
from ..rundir import RunDir, RunInfo

SMALL_BYTES: Final = 256 << 10  # nothing to be gained: not worth loading what could compact it
WORTH_SAYING_BYTES: Final = 100_000_000  # compacting so much takes a moment
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(I?)B?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Read a size as people write it: ``500M``, ``20G``, ``1.5TiB``, a number of bytes.

    Raises
    ------
    RunError
        It is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise RunError(f"{text} is no size: write 500M, 20G or 1T; 0: no limit")
    number, prefix, binary = found.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** (" KMGT".index(prefix.upper()) if prefix else 0))


def format_size(size: float) -> str:
    """Write a size for people."""
    for limit, unit, digits in ((1e6, "kB", 0), (1e9, "MB", 1), (1e12, "GB", 1)):
        if size < limit:
            return f"{size / (limit / 1e3):,.{digits}f} {unit}"
    return f"{size / 1e12:,.1f} TB"


def warning(journal: dict[str, Any], limit: int) -> str:
    """Say that a journal is larger than its limit; nothing when it is not."""
    size = int(journal.get("bytes") or 0)
    if not limit or size <= limit:
        return ""
    free = int(journal.get("free_bytes") or 0)
    text = f"the journal has grown to {format_size(size)}, past its limit of {format_size(limit)}"
    if free > size / 2:
        return f"{text}; {format_size(free)} of it are free and will be used first"
    return f"{text}; the run goes on, see that the disk has room"


class Watch:
    """Says once that the journal is larger than its limit.

    Parameters
    ----------
    limit : int
        In bytes; 0: none.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._said = False

    def look(self, stats: dict[str, Any]) -> str:
        """Return the warning that is due, from the broker's figures."""
        text = "" if self._said else warning(stats.get("journal") or {}, self._limit)
        self._said = self._said or bool(text)
        return text


def give_back(directory: RunDir, info: RunInfo, say: Callable[[str], None]) -> None:
    """Compact a run's journal where that is worth it; nobody may be at work on it."""
    data = directory.journal / "data.mdb"
    if not data.exists() or data.stat().st_size <= SMALL_BYTES:
        return
    from scoop_journal import JournalError, Reader, compact, is_worthwhile

    unsafe = info.unsafe_filesystem
    try:
        with Reader.open(directory.journal, unsafe_filesystem=unsafe) as reader:
            size, needed = reader.size_bytes, reader.needed_bytes()
        if not is_worthwhile(size, needed):
            return
        if needed > WORTH_SAYING_BYTES:
            say(f"compacting the journal from {format_size(size)} to {format_size(needed)}")
        done = compact(directory.journal, unsafe_filesystem=unsafe)
    except (JournalError, OSError) as error:
        say(f"the journal was not compacted: {error}")
    except KeyboardInterrupt:
        say("the journal was not compacted: interrupted, nothing is lost")
    else:
        if done.before_bytes > WORTH_SAYING_BYTES:
            say(compacted(done.before_bytes, done.after_bytes))


def give_up_reserve(directory: RunDir) -> None:
    """Give up what was kept back for a full disk: a run that is done has nothing left to end.

    It is more than all else of a short run. A resume makes it again.
    """
    (directory.journal / "reserve").unlink(missing_ok=True)


def compacted(before: int, after: int) -> str:
    """Say what a compaction did."""
    return f"the journal was compacted from {format_size(before)} to {format_size(after)}"
