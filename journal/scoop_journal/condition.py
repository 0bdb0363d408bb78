"""What may be found where a journal should be, and what is done about it: a table.

``inspect`` looks and changes nothing; ``DECISIONS`` says for each thing that it can find, and for
each intent, whether to go on or by which name to refuse.  The tests go through the whole table.
"""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

from .envelope import WAY_OUT, unpack_named
from .errors import (
    JournalDamaged,
    JournalError,
    JournalExists,
    JournalForeign,
    JournalMissing,
    JournalTooNew,
    JournalUnsynced,
)
from .layout import FORMAT, MAGIC_KEY, NEXT_KEY, RUN_KEY, unpack_magic
from .pages import FileState, read_head, structure_flaws
from .store import DEFAULT_MAP_BYTES, Store, StoreFailed, StoreSnapshot, TablesMissing, read_next
from .unsynced import lost_on
from .view import fold


class Found(Enum):
    """All that can be there, in the order in which it is looked for."""

    NOTHING = auto()
    NOT_A_FOLDER = auto()
    EMPTY_FOLDER = auto()
    UNSYNCED = auto()
    NO_DATA_FILE = auto()
    EMPTY_DATA_FILE = auto()
    NOT_LMDB = auto()
    OTHER_LMDB = auto()
    BAD_PAGES = auto()
    NOT_OURS = auto()
    TOO_NEW = auto()
    TOO_OLD = auto()
    BAD_VALUE = auto()
    BAD_RECORD = auto()
    SOUND = auto()


class Intent(Enum):
    """What the caller came for."""

    CREATE = auto()
    USE = auto()


class Decision(NamedTuple):
    """Go on (no refusal), or refuse by name with a message."""

    refusal: type[JournalError] | None
    message: str = ""


_GO_ON: Final = Decision(None)
_TAKEN: Final = Decision(
    JournalExists, "{path} is not empty; choose another place, or go on with what is there"
)
_ELSEWHERE: Final = "check the path, or choose another place"

#: For each thing found: what creating does, what opening does.
DECISIONS: Final[dict[Found, dict[Intent, Decision]]] = {
    Found.NOTHING: {
        Intent.CREATE: _GO_ON,
        Intent.USE: Decision(JournalMissing, "there is no journal at {path}; check the path"),
    },
    Found.NOT_A_FOLDER: {
        Intent.CREATE: Decision(JournalExists, "{path} is a file; choose another place"),
        Intent.USE: Decision(JournalForeign, "{path} is a file, not a journal; check the path"),
    },
    Found.EMPTY_FOLDER: {
        Intent.CREATE: _GO_ON,
        Intent.USE: Decision(JournalMissing, "{path} is empty; check the path"),
    },
    Found.UNSYNCED: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalUnsynced,
            "the journal at {path} was written without syncing, and {detail} has stopped since: "
            "what it holds cannot be trusted; start a new run, or restore the folder from a copy",
        ),
    },
    Found.NO_DATA_FILE: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(JournalMissing, "{path} holds no journal; check the path"),
    },
    Found.EMPTY_DATA_FILE: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalDamaged, "the journal at {path} is damaged: its data file is empty; " + WAY_OUT
        ),
    },
    Found.NOT_LMDB: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalForeign, "the data file in {path} is no LMDB file; " + _ELSEWHERE
        ),
    },
    Found.OTHER_LMDB: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalForeign, "the data file in {path} is of another LMDB version; " + _ELSEWHERE
        ),
    },
    Found.BAD_PAGES: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalDamaged, "the journal at {path} is damaged: {detail}; " + WAY_OUT
        ),
    },
    Found.NOT_OURS: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalForeign, "{path} is the LMDB database of another program; " + _ELSEWHERE
        ),
    },
    Found.TOO_NEW: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalTooNew,
            "{path} has journal format {detail}, this version reads up to "
            f"{FORMAT}; go on with the newer version that wrote it",
        ),
    },
    Found.TOO_OLD: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(
            JournalForeign,
            "{path} has journal format {detail}, which no released version has written; "
            "go on with the version that wrote it, or start a new run",
        ),
    },
    Found.BAD_VALUE: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(JournalDamaged, "{path}: {detail}"),
    },
    Found.BAD_RECORD: {
        Intent.CREATE: _TAKEN,
        Intent.USE: Decision(JournalDamaged, "{path}: {detail}"),
    },
    Found.SOUND: {Intent.CREATE: _TAKEN, Intent.USE: _GO_ON},
}

_FROM_FILE: Final = {
    FileState.MISSING: Found.NO_DATA_FILE,
    FileState.EMPTY: Found.EMPTY_DATA_FILE,
    FileState.NOT_LMDB: Found.NOT_LMDB,
    FileState.OTHER_LMDB: Found.OTHER_LMDB,
    FileState.BAD_HEAD: Found.BAD_PAGES,
}


class Finding(NamedTuple):
    """What is there; ``detail`` and ``seq`` say more where something is wrong."""

    found: Found
    detail: str = ""
    seq: int | None = None


def inspect(
    path: Path, *, live: bool = False, records: bool = True, payloads: bool = True
) -> Finding:
    """Look at what is there and change nothing.

    Parameters
    ----------
    path : Path
        Where the journal should be.
    live : bool
        A writer may be at work: its pages cannot be checked at rest, unless the file is too short,
        which is fatal to whoever maps it.
    records : bool
        Also verify every record and blob.
    payloads : bool
        The records' payloads, too; else these are not read.
    """
    finding = inspect_file(path)
    if finding.found is not Found.SOUND:
        return finding
    cut_off = _cut_off(path)
    if cut_off or not live:  # a file may end before pages that nothing uses: it is not cut off then
        flaws = structure_flaws(path)
        if flaws:
            return Finding(Found.BAD_PAGES, cut_off or flaws[0])
    return _inspect_tables(path, live, records, payloads)


def inspect_file(path: Path) -> Finding:
    """Look at the folder and the data file's head only."""
    if not path.exists():
        return Finding(Found.NOTHING)
    if not path.is_dir():
        return Finding(Found.NOT_A_FOLDER)
    host = lost_on(path)
    if host is not None:
        return Finding(Found.UNSYNCED, host)
    head = read_head(path)
    if head.state is FileState.MISSING and not any(path.iterdir()):
        return Finding(Found.EMPTY_FOLDER)
    if head.state is FileState.LMDB:
        return Finding(Found.SOUND)
    return Finding(_FROM_FILE[head.state], "the first pages of its data file are not sound")


def require(path: Path, finding: Finding, intent: Intent) -> None:
    """Go on, or refuse as the table says."""
    decision = DECISIONS[finding.found][intent]
    if decision.refusal is None:
        return
    message = decision.message.format(path=path, detail=finding.detail)
    if decision.refusal is JournalDamaged:
        raise JournalDamaged(message, finding.seq)
    raise decision.refusal(message)


def _inspect_tables(path: Path, live: bool, records: bool, payloads: bool) -> Finding:
    try:
        store = Store(path, map_size=map_bytes(path), write=False, lock=live)
    except TablesMissing:
        return Finding(Found.NOT_OURS)
    except StoreFailed as error:
        return Finding(Found.BAD_PAGES, str(error))
    try:
        with store.snapshot() as snapshot:
            number = unpack_magic(snapshot.meta(MAGIC_KEY))
            if number is None:
                return Finding(Found.NOT_OURS)
            if number > FORMAT:
                return Finding(Found.TOO_NEW, str(number))
            if number < FORMAT:
                return Finding(Found.TOO_OLD, str(number))
            return _inspect_contents(snapshot, records, payloads)
    finally:
        store.close()


def _inspect_contents(snapshot: StoreSnapshot, records: bool, payloads: bool) -> Finding:
    try:
        for key in (RUN_KEY, NEXT_KEY):
            unpack_named(key, snapshot.meta(key) or b"")
        if snapshot.last_seq() >= read_next(snapshot.meta(NEXT_KEY) or b""):
            return Finding(Found.BAD_VALUE, f"the next number is not above the last; {WAY_OUT}")
        if records:
            for name, data in snapshot.blobs():
                unpack_named(name, data)
    except JournalDamaged as error:
        return Finding(Found.BAD_VALUE, str(error))
    try:
        for _ in fold(snapshot.items(0) if records else (), payloads=payloads):
            pass
    except JournalDamaged as error:
        return Finding(Found.BAD_RECORD, str(error), error.seq)
    return Finding(Found.SOUND)


def map_bytes(path: Path, at_least: int = DEFAULT_MAP_BYTES) -> int:
    """How large to map a journal: never below what its file says."""
    return max(at_least, read_head(path).map_size)


def _cut_off(path: Path) -> str:
    """Say it plainly when the file is too short, which is what a bad copy leaves."""
    size, full = (path / "data.mdb").stat().st_size, read_head(path).full_bytes
    return f"its data file is cut off, {size} of {full} bytes are there" if size < full else ""
