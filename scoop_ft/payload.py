"""Calls, results, exceptions and functions to bytes and back.

A task's pickle is the tuple of its arguments, or the list ``[args, kwargs]`` when there are keyword
arguments.  Many are packed one behind the other, with an array of where each ends, and the large
buffers beside them.  How one object is pickled is left to `pickling`; nothing here sends or keeps
anything.
"""

from __future__ import annotations

import builtins
import copyreg
import io
import pickle
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import FunctionType
from typing import Any, NamedTuple

from scoop_ft import columns, references, script
from scoop_ft.culprits import explain
from scoop_ft.errors import RemoteError, RemoteTraceback, UnpicklableError
from scoop_ft.optioned import plain
from scoop_ft.pickling import (
    PlainPickler,
    dumps,
    dumps_by_value,
    dumps_meaning,
    load,
    require_fit,
    separator,
)
from scoop_ft.wire.frames import LARGEST, Buffer

__all__ = [
    "Buffer",
    "Packed",
    "Packer",
    "dump_exception",
    "dump_function",
    "dump_result",
    "function_name",
    "identity",
    "load",
    "load_exception",
    "load_function",
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

    def add(self, value: Any, name: str) -> None:
        """Pack the result of the function called ``name``; raises like `add_call`."""
        cause = self.pack(value)
        if cause is not None:
            raise _unpicklable(f"the result of {name}", "it", value, _bare(cause)) from cause

    def add_exception(self, error: BaseException, trace: str) -> None:
        """Pack an exception and the text of its traceback.

        One that cannot travel, or would arrive as something else, keeps as much of itself as
        possible: its type, arguments and attributes, or else a `RemoteError` stands for it.
        """
        for candidate in (error, _Revived(error, dict), _Revived(error, _that_can_go)):
            if candidate is error and _loses_slots(error):
                continue
            try:
                payload, frames = dumps((candidate, trace))
                arrived, _ = load(payload, frames)
                if not _same_error(error, arrived):
                    continue
            except BaseException:  # noqa: BLE001 - whatever it is, the next form is tried
                continue
            if self._append(payload, frames) is None:
                return
        cause = self.pack((_stand_in(error), trace))
        if cause is not None:  # a stand-in is made of texts only
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
            raise _unpicklable(f"the result of {name}", "it", value, _bare(cause)) from first
    finally:
        bench.frames.clear()
        bench.clear_memo()
        bench.busy = False


def dump_exception(error: BaseException, trace: str) -> tuple[bytes, list[Buffer]]:
    """Pickle an exception by itself, as `Packer.add_exception` does."""
    packer = Packer()
    packer.add_exception(error, trace)
    packed = packer.take()
    return packed.payload, packed.frames


# ---- functions -----------------------------------------------------------------------------------


def dump_function(func: Callable[..., Any]) -> tuple[bytes, str]:
    """Return a function's pickle and its name for people.

    Raises
    ------
    UnpicklableError
        It cannot be pickled.
    """
    name = function_name(func)
    try:
        payload, _ = dumps(func, large_apart=False)
    except Exception as cause:
        raise _unpicklable(f"function {name}", "it", func, _bare(cause)) from cause
    return payload, name


def identity(func: Callable[..., Any], blob: bytes) -> bytes:
    """Return the bytes by which a function is known, given its pickle.

    They are the same after its code was moved, commented or formatted.
    """
    return blob if references.goes_by_name(func) else dumps_meaning(func)


def load_function(blob: Buffer) -> Callable[..., Any]:
    """Return the function of a pickle made by `dump_function`."""
    func: Callable[..., Any] = plain(load(blob))
    return func


def function_name(func: Any) -> str:
    """Return a function's name for people: ``module.name``, or where a lambda stands."""
    while hasattr(func, "func") and hasattr(func, "keywords"):  # partials, also those of toolboxes
        func = func.func
    name = getattr(func, "__qualname__", None)
    code = getattr(func, "__code__", None)
    if name is not None and name.endswith("<lambda>") and code is not None:
        file = code.co_filename.replace("\\", "/").rpartition("/")[2]
        return f"{file}:{code.co_firstlineno} <lambda>"
    if name is None:
        name = getattr(func, "__name__", None)  # numpy's ufuncs have only this
        module = getattr(func, "__module__", None)
        if name is None:
            name, module = type(func).__qualname__, type(func).__module__
    else:
        module = getattr(func, "__module__", None)
    if module is None:  # methods of C types
        module = type(getattr(func, "__self__", None)).__module__
    if module in script.MODULE_NAMES and (file := script.path()) is not None:
        module = file.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or module
    return name if module == "builtins" else f"{module}.{name}"


# ---- bytes to values -----------------------------------------------------------------------------


def load_exception(view: Buffer, buffers: Sequence[Buffer] = ()) -> BaseException:
    """Return an exception made by `Packer.add_exception`; its cause shows the remote traceback."""
    try:
        error, trace = load(view, buffers)
    except Exception as why:  # noqa: BLE001 - its class may do anything when it is made
        stand_in = RemoteError(f"a task raised an exception that cannot be loaded here: {why!r}")
        stand_in.__cause__ = why
        return stand_in
    raised: BaseException = error
    raised.__cause__ = RemoteTraceback(trace)
    return raised


# ---- inside --------------------------------------------------------------------------------------


def _size(frame: Buffer) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)


def _bare(error: Exception) -> Exception:
    """Take off the traceback: it shows picklers, which help nobody."""
    error = error.with_traceback(None)
    error.__context__ = None
    return error


def _explain_call(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str, cause: Exception
) -> UnpicklableError:
    _bare(cause)
    labelled = [(f"argument {i}", f"args[{i - 1}]", value) for i, value in enumerate(args, 1)]
    labelled += [(f"argument {key!r}", key, value) for key, value in kwargs.items()]
    for label, path, value in labelled:
        reason = _refusal(value)
        if reason is not None:
            return _unpicklable(f"{label} of {name}", path, value, reason)
    return _unpicklable(f"the arguments of {name}", "args", args, cause)


def _unpicklable(what: str, path: str, value: Any, cause: Exception) -> UnpicklableError:
    path, culprit, reason = explain(path, value, cause, _refusal)
    if isinstance(reason, OverflowError):
        return UnpicklableError(
            f"{what} cannot be sent to another process: {path} is {culprit} of nearly 4 GiB or "
            "more; send it in parts, or write it to a file and send its name"
        )
    return UnpicklableError(
        f"{what} cannot be sent to another process: {path} is {culprit} ({reason}); "
        "make such things where they are used, and send what they are made of"
    )


def _refusal(value: Any) -> Exception | None:
    """Return why an object cannot be pickled, None when it can."""
    try:
        dumps(value)
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        return _bare(error)
    return None


_Group: type[Any] | None = getattr(builtins, "BaseExceptionGroup", None)  # since Python 3.11


class _Revived:
    """Pickles an exception so that its ``__init__`` is not called again on arrival."""

    def __init__(
        self, error: BaseException, state_of: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        self.error = error
        self.state_of = state_of

    def __reduce__(self) -> tuple[Any, ...]:
        error, args = self.error, self.error.args
        if _Group is not None and isinstance(error, _Group):
            args = args[0], [_Revived(each, self.state_of) for each in error.exceptions]
        return revive, (type(error), args, self.state_of(_state(error)))


def _that_can_go(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that can be pickled."""
    return {name: value for name, value in state.items() if _refusal(value) is None}


def revive(kind: type[BaseException], args: tuple[Any, ...], state: Any) -> BaseException:
    """Make an exception without its ``__init__``, which may ask for other arguments."""
    error: BaseException = kind.__new__(kind, *args)
    error.args = args
    for name in _slots(kind):
        if name in state:
            setattr(error, name, state.pop(name))
    error.__dict__.update(state)
    return error


def _loses_slots(error: BaseException) -> bool:
    """Tell whether pickle leaves out what is in slots: it does, unless the class sees to it."""
    kind = type(error)
    if isinstance(kind.__reduce__, FunctionType) or isinstance(kind.__reduce_ex__, FunctionType):
        return False
    return any(hasattr(error, name) for name in _slots(kind))


def _slots(kind: type[BaseException]) -> list[str]:
    names: list[str] = copyreg._slotnames(kind)  # type: ignore[attr-defined]
    return names


def _state(error: BaseException) -> dict[str, Any]:
    slots = {name: getattr(error, name) for name in _slots(type(error)) if hasattr(error, name)}
    return {**error.__dict__, **slots}


def _same_error(sent: BaseException, arrived: BaseException) -> bool:
    if type(arrived) is not type(sent) or len(arrived.args) != len(sent.args):
        return False
    text = str(sent)
    return str(arrived) == text or str(sent) != text  # the clock may be part of it


def _stand_in(error: BaseException) -> RemoteError:
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    try:
        text = str(error)
    except BaseException as why:  # noqa: BLE001 - user code may raise anything
        text = f"<its text cannot be made: {type(why).__name__}>"
    return RemoteError(f"{name}: {text}" if text else name, name)
