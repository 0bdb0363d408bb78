"""Parallel futures: `submit`, `map` and what goes with them.

Started with ``scoop-ft run script.py``, calls run on the run's workers; inside a task they run on
its worker or wherever there is room; in a script started with plain ``python`` they run here, one
after the other, with one warning.

Examples
--------
>>> from scoop_ft import futures
>>> list(futures.map(abs, [-1, 2, -3]))
[1, 2, 3]
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from typing import Any, Literal, NamedTuple, TypeVar, overload

from . import coroutines, script
from .client import buffered, serial, taking
from .client.future import Future, mine
from .client.groups import Group
from .client.runtime import Runtime, current
from .client.scopes import Part, define
from .errors import CancelledError, TimeoutError
from .optioned import like, plain

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "CancelledError",
    "Future",
    "TimeoutError",
    "as_completed",
    "map",
    "mapReduce",
    "mapScan",
    "map_as_completed",
    "map_reduce",
    "map_scan",
    "once",
    "submit",
    "wait",
]

T = TypeVar("T")
_PLAIN = (list, tuple, range, str, bytes, dict, set, frozenset)  # to read them runs no user code
PARTS = 64  # map_reduce cuts its input into about this many tasks, however many workers there are


def _runtime() -> Runtime | None:
    """Return the process's runtime; None: serially.  Refuses while a worker imports the script."""
    if script.importing_main:
        script.refuse_while_importing()
    runtime = current()
    if runtime is None:
        serial.warn()
    return runtime


# ---- submitting ----------------------------------------------------------------------------


def submit(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
    """Call ``func(*args, **kwargs)`` somewhere; return a `Future` of its result.

    Arguments are pickled now: what you change afterwards is not seen by the call.

    Raises
    ------
    UnpicklableError
        The function or an argument cannot be sent.

    Examples
    --------
    >>> submit(pow, 2, 10).result()
    1024
    """
    runtime = _runtime()
    if runtime is None:
        future = Future(None, None, Group(0, 0), 0)  # a group that misses nothing: it is done
        future._keep(*serial.call(func, args, kwargs))
        return future
    return Future(runtime, *runtime.submit(define(func), args, kwargs))


@overload
def map(
    func: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
    on_error: Literal["raise"] = "raise",
) -> Iterator[T]: ...
@overload
def map(
    func: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
    on_error: Literal["collect"],
) -> Iterator[T | BaseException]: ...
def map(
    func: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
    on_error: Literal["raise", "collect"] = "raise",
) -> Iterator[T] | Iterator[T | BaseException]:
    """Call ``func`` for the items of the iterables; iterate over the results in order.

    All calls are submitted before this returns; the iterables are read as they are packed, a list
    or range up to 2,048 items ahead.

    Parameters
    ----------
    func : callable
    *iterables
        As for the builtin `map`: it ends with the shortest.
    timeout : float, optional
        Seconds from now until the last result must be there.
    chunksize : int
        As for the standard library's executors; nothing is gained by it, since calls travel in
        batches in any case.
    buffersize : int, optional
        There are never more calls than that whose results you have not taken: the iterables are
        read on as you take results, so they may be endless.
    on_error : {"raise", "collect"}
        With ``"collect"`` the exception of a call that failed, or whose worker died too often
        (`TaskLost`), stands in the place of its result.

    Raises
    ------
    TimeoutError
        While iterating: a result was not there in time.
    Exception
        While iterating: what the call in its place raised.

    Examples
    --------
    >>> list(map(pow, [2, 3], [5, 2]))
    [32, 9]
    >>> import itertools
    >>> list(itertools.islice(map(abs, itertools.count(-2), buffersize=8), 4))
    [2, 1, 0, 1]
    >>> list(map(int, ["1", "one"], on_error="collect"))
    [1, ValueError("invalid literal for int() with base 10: 'one'")]
    """
    if not iterables:
        raise TypeError("map needs at least one iterable: futures.map(f, data)")
    collect = _collects(on_error, buffersize, chunksize)
    runtime = _runtime()
    if runtime is None:
        calls = zip(*iterables, strict=False)
        return serial.call_each(func, calls, collect=collect, buffersize=buffersize)
    deadline = _deadline(timeout)
    if buffersize is None:
        return taking.in_order(runtime, _submit_many(runtime, func, iterables), deadline, collect)
    buffer = _buffer(runtime, func, iterables, buffersize)
    return buffered.in_order(
        buffer, lambda part: taking.in_order(runtime, [part], deadline, collect)
    )


def _collects(on_error: str, buffersize: int | None, chunksize: int) -> bool:
    """Check what maps can be asked; tell whether exceptions are collected."""
    if on_error not in ("raise", "collect"):
        raise ValueError(f"on_error is 'raise' or 'collect', not {on_error!r}")
    if chunksize < 1:
        raise ValueError("chunksize must be >= 1.")
    if buffersize is not None:
        buffered.check(buffersize)
    return on_error == "collect"


def _buffer(
    runtime: Runtime, func: Callable[..., Any], iterables: Sequence[Iterable[Any]], size: int
) -> buffered.Buffer[Part]:
    function, scope = define(func), runtime.scope()
    plain = all(type(items) in _PLAIN for items in iterables)

    def submit(calls: Iterable[buffered.Call], longest: int) -> list[Part]:
        if runtime is not current() or runtime.scope() is not scope:
            raise RuntimeError("a map with a buffer can only be read by the task that has made it")
        parts = runtime.submit_many(function, calls, plain)
        runtime.flush()
        return buffered.cut(parts, longest)

    calls = zip(*iterables, strict=False)
    return buffered.Buffer(calls, size, submit, lambda part: part[2])


def _submit_many(
    runtime: Runtime, func: Callable[..., Any], iterables: Sequence[Iterable[Any]]
) -> list[Part]:
    plain = all(type(items) in _PLAIN for items in iterables)
    parts = runtime.submit_many(define(func), zip(*iterables, strict=False), plain)
    runtime.flush()
    return parts


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


@overload
def map_as_completed(
    func: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
    on_error: Literal["raise"] = "raise",
) -> Iterator[T]: ...
@overload
def map_as_completed(
    func: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
    on_error: Literal["collect"],
) -> Iterator[T | BaseException]: ...
def map_as_completed(
    func: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int = 1,
    buffersize: int | None = None,
    on_error: Literal["raise", "collect"] = "raise",
) -> Iterator[T] | Iterator[T | BaseException]:
    """Like `map`, but the results come in the order in which they are there.

    Examples
    --------
    >>> sorted(map_as_completed(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    if not iterables:
        raise TypeError("map_as_completed needs at least one iterable")
    collect = _collects(on_error, buffersize, chunksize)
    runtime = _runtime()
    if runtime is None:
        calls = zip(*iterables, strict=False)
        return serial.call_each(func, calls, collect=collect, buffersize=buffersize)
    deadline = _deadline(timeout)
    if buffersize is not None:
        buffer = _buffer(runtime, func, iterables, buffersize)
        runtime.scope().ordered = False
        return buffered.as_they_come(
            buffer,
            lambda completions: taking.await_one(runtime, completions, deadline),
            lambda group, index: taking.taken(group, index, collect),
        )
    parts = _submit_many(runtime, func, iterables)
    runtime.scope().ordered = False
    return taking.as_they_come(runtime, parts, deadline, collect)


def once(func: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call a function here and now, and never again: a durable step.

    Its value is recorded and synced before it is returned; when this task (or script) is run again
    the recorded value is returned instead.  For what is another thing each time, or may happen only
    once: the clock, a list of files, a download, an e-mail, a job submitted to another system.

    A call that raises is not recorded: run again, it is tried again.  If the process dies between
    the call's end and its record, it is called once more.

    Raises
    ------
    UnpicklableError
        The function, an argument or the value cannot be pickled.

    Examples
    --------
    >>> import time
    >>> once(time.time) > 1.6e9
    True
    """
    coroutines.refuse(func)
    runtime = _runtime()
    if runtime is None:
        from . import randomness

        with randomness.apart(serial.place().step()):
            return func(*args, **kwargs)
    from .client import kept

    value: T = kept.once(runtime, func, args, kwargs)
    return value


# ---- waiting -------------------------------------------------------------------------------


class DoneAndNotDoneFutures(NamedTuple):
    """What `wait` returns."""

    done: set[Future]
    not_done: set[Future]


def as_completed(fs: Iterable[Future], timeout: float | None = None) -> Iterator[Future]:
    """Yield futures as they end; each once.

    Raises
    ------
    TimeoutError
        Not all had ended ``timeout`` seconds after the call.
    """
    futures = list(dict.fromkeys(fs))
    for future in futures:
        future._look_out()
    return _futures_as_completed(futures, _deadline(timeout))


def _futures_as_completed(futures: Sequence[Future], deadline: float | None) -> Iterator[Future]:
    pending = [f for f in futures if not (f._cancelled or f._runtime is None)]
    yield from (f for f in futures if f._cancelled or f._runtime is None)
    if pending:
        runtime = mine(pending[0]._runtime)
        items = ((f, f._group, f._index) for f in pending)
        yield from taking.completed(runtime, items, deadline)


def wait(
    fs: Iterable[Future], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDoneFutures:
    """Wait for futures; return those that are done and those that are not.

    Parameters
    ----------
    fs : iterable of Future
    timeout : float, optional
        Seconds to wait at most; no exception when they are over.
    return_when : str
        ``FIRST_COMPLETED``, ``FIRST_EXCEPTION`` or ``ALL_COMPLETED``.

    Examples
    --------
    >>> done, not_done = wait([submit(abs, -1), submit(abs, -2)])
    >>> sorted(f.result() for f in done), not_done
    ([1, 2], set())
    """
    if return_when not in (FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED):
        raise ValueError(f"return_when cannot be {return_when!r}")
    futures = set(fs)
    done: set[Future] = set()
    if timeout is not None or return_when != ALL_COMPLETED:
        for future in futures:
            future._look_out()
    try:
        for future in _futures_as_completed(list(futures), _deadline(timeout)):
            done.add(future)
            if return_when == FIRST_COMPLETED:
                break
            if return_when == FIRST_EXCEPTION and not future._cancelled and future._load()[1]:
                break
    except TimeoutError:
        pass  # said by what is not done
    done |= {f for f in futures if f._cancelled or f._group.done(f._index)}
    return DoneAndNotDoneFutures(done, futures - done)


# ---- reducing ------------------------------------------------------------------------------


def map_reduce(
    map_func: Callable[..., Any],
    reduction_op: Callable[[Any, Any], Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
) -> Any:
    """Call ``map_func`` for all items and combine the results with ``reduction_op``.

    The items are cut into the same stretches whatever the number of workers, so that sums of
    floats do not depend on it.

    Parameters
    ----------
    map_func : callable
    reduction_op : callable
        Makes one value of two; it must be associative.
    *iterables
        As for `map`; there must be at least one item.
    timeout : float, optional
        Seconds from now until the last result must be there.

    Raises
    ------
    TimeoutError
        A result was not there in time.
    Exception
        What a call has raised.

    Examples
    --------
    >>> import operator
    >>> map_reduce(abs, operator.add, [-1, 2, -3])
    6
    """
    coroutines.refuse(map_func)
    items = list(zip(*iterables, strict=False))
    if not items:
        raise TypeError("map_reduce of nothing has no value: give it at least one item")
    size = max(1, -(-len(items) // PARTS))
    stretches = [items[k : k + size] for k in range(0, len(items), size)]
    partial = functools.partial(_reduce_stretch, plain(map_func), reduction_op)
    func = like(map_func, partial)  # its options are those of the stretches' calls
    return functools.reduce(reduction_op, map(func, stretches, timeout=timeout))


def _reduce_stretch(
    map_func: Callable[..., Any], reduction_op: Callable[[Any, Any], Any], items: list[Any]
) -> Any:
    return functools.reduce(reduction_op, itertools.starmap(map_func, items))


def map_scan(
    map_func: Callable[..., Any],
    reduction_op: Callable[[Any, Any], Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
) -> list[Any]:
    """Like `map_reduce`, but return all the intermediate values; of no items there are none.

    Parameters
    ----------
    map_func, reduction_op, *iterables, timeout
        As for `map_reduce`; what combines the results is called here, one by one.

    Examples
    --------
    >>> import operator
    >>> map_scan(abs, operator.add, [-1, 2, -3])
    [1, 3, 6]
    """
    return list(itertools.accumulate(map(map_func, *iterables, timeout=timeout), reduction_op))


mapReduce = map_reduce  # SCOOP's names
mapScan = map_scan
