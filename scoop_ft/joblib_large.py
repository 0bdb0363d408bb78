"""Large arrays of joblib's calls: one that comes again travels as a constant of the run.

The first time it goes with its call, for most arrays never come again.  It is known by what is in
it, asked anew at each call.  In the workers it is read-only, whichever way it came, as are joblib's
own memmaps.  How much may stay with the workers is decided here; not what a call is known by.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pickle import PickleBuffer
from typing import Any, Final, NamedTuple

from .client.runtime import Runtime, current
from .executor import Executor
from .ids import digest
from .pickling import dumps_around, load_around
from .wire.frames import Buffer

LARGE_BYTES: Final = 1 << 20  # as joblib's max_nbytes
MOST_KEPT: Final = 2 << 30  # constants stay as long as the run
SHARE: Final = 4  # all processes together keep this part of the memory, at most
SAID_AT: Final = 1 << 30  # sent again, for want of room: a word about it
MOST_SEEN: Final = 100_000
_PREFIX: Final = "joblib:"


class Pickled(NamedTuple):
    """A batch of joblib's calls, its large buffers beside it, and what these are known by."""

    payload: bytes
    views: list[memoryview]
    digests: list[bytes]


def pickled(batch: Any) -> Pickled | None:
    """Pickle a batch that has large buffers; None: it has none."""
    try:
        payload, views = dumps_around(batch, LARGE_BYTES)
    except Exception:  # noqa: BLE001 - it is `submit` that says what cannot be sent
        return None
    return Pickled(payload, views, [digest(view) for view in views]) if views else None


class Large:
    """Decides which large buffers of a backend's calls go as constants."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._again_bytes = 0  # sent again, for want of room
        self._lock = threading.Lock()  # joblib submits in the thread that brings results, too

    def packed(self, executor: Executor, batch: Pickled) -> Packed:
        """Return what to send for a batch."""
        executor._check()
        runtime = executor._runtime()
        most = _room(executor._max_workers)
        with self._lock:
            parts = [
                self._constant(runtime, view, name, most) or PickleBuffer(view.toreadonly())
                for view, name in zip(batch.views, batch.digests, strict=True)
            ]
        return Packed(batch.payload, parts)

    def _constant(self, runtime: Runtime, view: memoryview, name: bytes, most: int) -> str | None:
        """Return the constant that a buffer goes as; None: it goes with the call."""
        key = _PREFIX + name.hex()
        if key in runtime.session.consts:
            return key
        if name not in self._seen:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen.add(name)
            return None
        if _kept_bytes(runtime) + view.nbytes > most:
            self._no_room(view.nbytes, most)
            return None
        runtime.set_const(key, PickleBuffer(view))
        return key

    def _no_room(self, size: int, most: int) -> None:
        before, self._again_bytes = self._again_bytes, self._again_bytes + size
        if before < SAID_AT <= self._again_bytes:
            print(
                f"scoop-ft: joblib: large arrays that many calls have were sent again with each, "
                f"{self._again_bytes / 1e9:.1f} GB by now, for the workers keep no more than "
                f"{most / 1e6:.0f} MB of such: let the calls load them from a file, or make them "
                "smaller",
                file=sys.stderr,
                flush=True,
            )


class Packed:
    """A batch as it travels: some of its large buffers are constants of the run."""

    def __init__(self, payload: Buffer, parts: Sequence[Any]) -> None:
        self._payload = payload
        self._parts = parts  # the name of a constant, or the buffer itself

    def batch(self) -> Any:
        """Return joblib's batch, waiting for its constants; they are not copied."""
        return load_around(self._payload, [_bytes_of(part) for part in self._parts])

    def __call__(self) -> Any:
        return self.batch()()

    def __reduce__(self) -> Any:
        return _unpacked, (self._payload, self._parts)

    def __repr__(self) -> str:
        names = ", ".join(part for part in self._parts if isinstance(part, str))
        return f"<a call of joblib's with the constants {names}>"


def _unpacked(payload: Buffer, parts: Sequence[Any]) -> Any:
    """Return a batch where what it is made of is here, as it is in a worker; else itself."""
    runtime = current()
    packed = Packed(payload, parts)
    here = {} if runtime is None else runtime.session.consts
    is_here = all(part in here for part in parts if isinstance(part, str))
    return packed.batch() if is_here else packed


def _bytes_of(part: Any) -> memoryview:
    if not isinstance(part, str):
        return memoryview(part).toreadonly()
    runtime = current()
    if runtime is None:
        raise LookupError(f"the constant {part!r} is known only in the run")
    return runtime.get_const_bytes(part)


def _kept_bytes(runtime: Runtime) -> int:
    consts = list(runtime.session.consts.items())
    return sum(
        memoryview(buffer).nbytes
        for key, (_, buffers) in consts
        if key.startswith(_PREFIX)
        for buffer in buffers
    )


def _room(workers: int) -> int:
    """Return how much may go as constants: each worker keeps it, so do broker and program."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has none, others may not know it
        return MOST_KEPT // SHARE
    return min(MOST_KEPT, memory // SHARE // (workers + 2))
