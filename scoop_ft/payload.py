"""Calls and results to bytes and back.

A task's pickle is the tuple of its arguments, or the list ``[args, kwargs]`` when there are keyword
arguments.  Many are packed one behind the other, with an array of where each ends, and the large
buffers beside them.  How one object is pickled is left to `pickling`; nothing here sends or keeps
anything.
"""

from __future__ import annotations

import io
import pickle
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from scoop_ft import columns, raised
from scoop_ft.culprits import bare, refusal, unpicklable
from scoop_ft.errors import UnpicklableError
from scoop_ft.pickling import (
    PlainPickler,
    dumps_by_value,
    load,
    require_fit,
    separator,
)
from scoop_ft.wire.frames import LARGEST, Buffer

__all__ = [
    "Buffer",
    "Packed",
    "Packer",
    "dump_result",
    "load",
]


class Packed(NamedTuple):
    """What a `Packer` gathered: two fields of a message, and its frames."""

    payload: bytes
    ends: bytes  # little-endian u32 each
    buffers: list[tuple[int, int]]
    frames: list[Buffer]

    @property
    def objects(self) -> int:
        """How many there are."""
        return len(self.ends) // 4

    def behind(self, payload: bytes, ends: array[int]) -> Packed:
        """Return this with other objects, which have no large buffers, before it."""
        moved = array("I", [len(payload) + end for end in memoryview(self.ends).cast("I")])
        buffers = [(len(ends) + index, size) for index, size in self.buffers]
        return Packed(payload + self.payload, (ends + moved).tobytes(), buffers, self.frames)


class _Bench:
    """A file and a pickler that writes into it, and the large buffers of the object at work."""

    __slots__ = ("busy", "clear_memo", "dump", "file", "frames", "start", "tell")

    def __init__(self, content: bytes = b"") -> None:
        self.busy = False
        self.start = 0  # where the object at work begins, once another bench took this one's place
        self.frames: list[Buffer] = []
        self.file = io.BytesIO()
        self.file.write(content)
        self.tell = self.file.tell
        pickler = PlainPickler(self.file, protocol=5, buffer_callback=separator(self.frames.append))
        self.dump = pickler.dump
        self.clear_memo = pickler.clear_memo


class Packer:
    """Packs calls or values into one payload, to be taken and begun anew.

    Pickling runs user code (``__reduce__``), which may submit tasks or let another greenlet run,
    and so use the packer that is just at work.  What is complete then moves to a new bench, and the
    object at work is appended when it is done.

    Attributes
    ----------
    ends : array of u32
        Where each object ends in the payload.
    buffers : list of (int, buffer)
        The large buffers, each with the index of its object.
    frame_bytes : int
        What these are in all.
    """

    __slots__ = ("_bench", "buffers", "ends", "frame_bytes")

    def __init__(self) -> None:
        self.ends: array[int] = array("I")
        self.buffers: list[tuple[int, Buffer]] = []
        self.frame_bytes = 0
        self._bench = _Bench()

    @property
    def count(self) -> int:
        """How many objects are packed."""
        return len(self.ends)

    @property
    def size_bytes(self) -> int:
        """Size of all that is packed, large buffers included."""
        return (self.ends[-1] if self.ends else 0) + self.frame_bytes

    def add_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str) -> None:
        """Pack the arguments of a call of the function called ``name``.

        Raises
        ------
        UnpicklableError
            An argument cannot be pickled.  The packer is as it was before.
        """
        cause = self.pack([args, kwargs] if kwargs else args)
        if cause is not None:
            raise _explain_call(args, kwargs, name, cause) from cause

    def add_calls(
        self, calls: Iterable[tuple[Any, ...]], name: str, most: int, most_bytes: int
    ) -> None:
        """Pack calls without keyword arguments, like `add_call`, until there are enough.

        Stops after ``most`` calls, or when the packer holds ``most_bytes``; raises like `add_call`,
        with the calls before packed.
        """
        pack = self.pack
        for args in calls:
            cause = pack(args)
            if cause is not None:
                raise _explain_call(args, {}, name, cause) from cause
            most -= 1
            if most <= 0 or self.ends[-1] + self.frame_bytes >= most_bytes:
                return

    def add_ahead(
        self, calls: deque[tuple[Any, ...]], name: str, most: int, most_bytes: int
    ) -> None:
        """Pack calls that are read already, like `add_calls`, and take them out of ``calls``.

        Those of numbers are packed at once.
        """
        records = list(islice(calls, most))
        dumped = columns.dump(records, len(records[0])) if len(records) >= columns.LEAST else None
        if dumped is None:
            self.add_calls(iter(calls.popleft, None), name, len(records), most_bytes)
            return
        payload, width = dumped
        bench = self._idle_bench()
        bench.busy = True  # an interrupt leaves what is complete
        end = bench.tell()
        bench.file.write(payload)
        self.ends += columns.ends(end, width, len(records))
        bench.busy = False
        for _ in records:
            calls.popleft()

    def add(self, value: Any, what: str) -> None:
        """Pack a value, called ``what`` when it cannot be; raises like `add_call`."""
        cause = self.pack(value)
        if cause is not None:
            raise unpicklable(what, "it", value, bare(cause)) from cause

    def add_exception(self, error: BaseException, trace: str) -> None:
        """Pack an exception and the text of its traceback, as much of it as can travel."""
        cause: Exception | None = None
        for payload, frames in raised.forms(error, trace):
            cause = self._append(payload, frames)
            if cause is None:
                return
        assert cause is not None  # no room, even for what stands for it
        raise cause

    def take(self) -> Packed:
        """Return all that is packed, and begin anew."""
        bench = self._idle_bench()
        payload = bench.file.getvalue()
        bench.file.seek(0)
        bench.file.truncate()
        packed = Packed(
            payload,
            self.ends.tobytes(),
            [(index, _size(frame)) for index, frame in self.buffers],
            [frame for _, frame in self.buffers],
        )
        self.ends = array("I")
        self.buffers = []
        self.frame_bytes = 0
        return packed

    def cut(self, count: int) -> None:
        """Forget all objects but so many."""
        bench = self._idle_bench()
        del self.ends[count:]
        self.buffers = [(index, frame) for index, frame in self.buffers if index < count]
        self.frame_bytes = sum(_size(frame) for _, frame in self.buffers)
        bench.file.seek(self._start(bench))
        bench.file.truncate()

    def since(self, first: int, stop: int | None = None) -> Packed:
        """Return what is complete from object number ``first`` up to ``stop``; it stays here.

        Somebody may be packing meanwhile: an object's end is the last that is noted of it.
        """
        ends = self.ends[first:stop]
        base = self.ends[first - 1] if first else 0
        if not ends:
            return Packed(b"", b"", [], [])
        payload = self._bench.file.getvalue()
        if base or len(payload) > ends[-1]:
            payload = payload[base : ends[-1]]
            ends = array("I", [end - base for end in ends])
        buffers = [(index, frame) for index, frame in self.buffers if index - first < len(ends)]
        buffers = [(index - first, frame) for index, frame in buffers if index >= first]
        return Packed(
            payload, ends.tobytes(), [(i, _size(f)) for i, f in buffers], [f for _, f in buffers]
        )

    def pack(self, value: Any) -> Exception | None:
        """Pack an object, or leave all as it was and return why not."""
        bench = self._bench
        if bench.busy:
            bench = self._idle_bench()
        bench.busy = True
        try:
            bench.dump(value)
        except Exception:  # noqa: BLE001 - user code may raise anything; by value it may go
            self._clear(bench)
            return self._add_by_value(value)
        except BaseException:
            self._clear(bench)
            raise
        bench.clear_memo()
        if bench is not self._bench:
            return self._move(bench)
        end = bench.tell()
        if end > LARGEST:
            self._clear(bench)
            return OverflowError("nearly 4 GiB or more in one batch")
        if bench.frames:
            self._keep(bench.frames)
            bench.frames.clear()
        self.ends.append(end)
        bench.busy = False
        return None

    def _move(self, bench: _Bench) -> Exception | None:
        """Pack what was done on a bench that another one replaced meanwhile."""
        return self._append(bench.file.getvalue()[bench.start :], bench.frames)

    def _start(self, bench: _Bench) -> int:
        if bench is not self._bench:
            return bench.start
        return self.ends[-1] if self.ends else 0

    def _add_by_value(self, value: Any) -> Exception | None:
        try:
            return self._append(*dumps_by_value(value))
        except Exception as error:  # noqa: BLE001 - user code may raise anything
            return error

    def _append(self, payload: bytes, frames: Sequence[Buffer]) -> Exception | None:
        """Pack what was pickled elsewhere."""
        bench = self._idle_bench()
        end = bench.tell() + len(payload)
        if end > LARGEST:
            return OverflowError("nearly 4 GiB or more in one batch")
        bench.busy = True
        bench.file.write(payload)
        self._keep(frames)
        self.ends.append(end)
        bench.busy = False
        return None

    def _keep(self, frames: Sequence[Buffer]) -> None:
        """Keep the large buffers of the object that is packed just now."""
        index = len(self.ends)
        for frame in frames:
            self.buffers.append((index, frame))
            self.frame_bytes += _size(frame)

    def _idle_bench(self) -> _Bench:
        """Return a bench nobody works at: if need be a new one, with what is complete on it."""
        if self._bench.busy:
            busy = self._bench
            busy.start = self._start(busy)
            self._bench = _Bench(busy.file.getvalue()[: busy.start])
        return self._bench

    def _clear(self, bench: _Bench) -> None:
        """Take the object at work off its bench."""
        bench.file.seek(self._start(bench))
        bench.file.truncate()
        bench.clear_memo()
        bench.frames.clear()
        bench.busy = False


# ---- one value -----------------------------------------------------------------------------------

_solo = _Bench()


def dump_result(value: Any, name: str) -> tuple[bytes, list[Buffer]]:
    """Pickle the result of the function called ``name`` by itself; return it and large buffers.

    Raises
    ------
    UnpicklableError
        It cannot be pickled.
    """
    if type(value) in columns.KINDS:
        return pickle.dumps(value, 5), []
    bench = _Bench() if _solo.busy else _solo
    bench.busy = True
    try:
        bench.file.seek(0)
        bench.file.truncate()
        bench.dump(value)
        require_fit(bench.tell())
        return bench.file.getvalue(), list(bench.frames)
    except Exception as first:  # noqa: BLE001 - user code may raise anything; by value it may go
        try:
            if isinstance(first, OverflowError):
                raise first
            return dumps_by_value(value)
        except Exception as cause:  # noqa: BLE001 - user code may raise anything
            raise unpicklable(f"the result of {name}", "it", value, bare(cause)) from first
    finally:
        bench.frames.clear()
        bench.clear_memo()
        bench.busy = False


# ---- inside --------------------------------------------------------------------------------------


def _size(frame: Buffer) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)


def _explain_call(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str, cause: Exception
) -> UnpicklableError:
    bare(cause)
    labelled = [(f"argument {i}", f"args[{i - 1}]", value) for i, value in enumerate(args, 1)]
    labelled += [(f"argument {key!r}", key, value) for key, value in kwargs.items()]
    for label, path, value in labelled:
        reason = refusal(value)
        if reason is not None:
            return unpicklable(f"{label} of {name}", path, value, reason)
    return unpicklable(f"the arguments of {name}", "args", args, cause)
