"""`Pool`: the calls of `multiprocessing.Pool`, on an `Executor`.

For what takes a pool: emcee, dynesty, pymoo, the ``workers=`` of scipy.  Decides nothing: each
method says in terms of an executor what it does in the standard library.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final

from .errors import TimeoutError  # the built-in one only since Python 3.11
from .executor import Executor

AHEAD: Final = 4_096  # `imap` reads its iterable so far ahead of what is taken


class Pool:
    """A pool of workers that no death of a process breaks; see `multiprocessing.pool.Pool`.

    In a script of ``scoop-ft run`` it is that run's workers, unless arguments say otherwise.

    Parameters
    ----------
    processes : int, optional
    initializer, initargs : callable and tuple, optional
    run_dir, address, keys, edited
        As for `Executor`.
    executor : Executor, optional
        Use this one; it is not shut down with the pool.

    Examples
    --------
    >>> with Pool(2) as pool:  # doctest: +SKIP
    ...     pool.map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        run_dir: str | os.PathLike[str] | None = None,
        address: str | None = None,
        keys: str | None = None,
        edited: str | None = None,
        executor: Executor | None = None,
    ) -> None:
        self._own = executor is None
        self._closed = False
        self._executor = executor or Executor(
            processes, run_dir=run_dir, address=address, keys=keys, initializer=initializer,
            initargs=initargs, edited=edited,
        )  # fmt: skip

    # ---- one call ----------------------------------------------------------------------------

    def apply(
        self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: dict[str, Any] | None = None
    ) -> Any:
        """Call ``func(*args, **kwds)`` in a worker; return its result."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: dict[str, Any] | None = None,
        callback: Callable[[Any], Any] | None = None,
        error_callback: Callable[[BaseException], Any] | None = None,
    ) -> AsyncResult:
        """Call ``func(*args, **kwds)`` in a worker; return an `AsyncResult`."""
        self._check()
        future = self._executor.submit(func, *args, **(kwds or {}))
        return AsyncResult([future], callback, error_callback, one=True)

    # ---- many calls --------------------------------------------------------------------------

    def map(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """Call ``func`` for each item; return the results in order."""
        self._check()
        return list(self._executor.map(func, iterable))

    def starmap(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
    ) -> list[Any]:
        """Call ``func(*item)`` for each item; return the results in order."""
        self._check()
        items = [tuple(item) for item in iterable]
        if len({len(item) for item in items}) == 1 and items[0]:
            return list(self._executor.map(func, *zip(*items, strict=True)))
        return self.starmap_async(func, items).get()

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[Any], Any] | None = None,
        error_callback: Callable[[BaseException], Any] | None = None,
    ) -> AsyncResult:
        """Call ``func`` for each item; return an `AsyncResult` of the list of results."""
        return self.starmap_async(
            func, ((item,) for item in iterable), chunksize, callback, error_callback
        )

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[Any], Any] | None = None,
        error_callback: Callable[[BaseException], Any] | None = None,
    ) -> AsyncResult:
        """Call ``func(*item)`` for each item; return an `AsyncResult` of the list of results."""
        self._check()
        futures = [self._executor.submit(func, *item) for item in iterable]
        return AsyncResult(futures, callback, error_callback, one=False)

    def imap(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1
    ) -> Results:
        """Call ``func`` for each item; iterate over the results in order.

        The iterable is read some thousand items ahead of what is taken.
        """
        self._check()
        return Results(self._executor._begin_map(func, (iterable,), None, AHEAD).next)

    def imap_unordered(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1
    ) -> Results:
        """Call ``func`` for each item; iterate over the results as they come."""
        self._check()
        return Results(_AsTheyCome(self._executor, func, iter(iterable)).next)

    # ---- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more calls."""
        self._closed = True
        if self._own:
            self._executor.shutdown(wait=False)

    def terminate(self) -> None:
        """End now: what is not done is given up."""
        self._closed = True
        if self._own:
            self._executor._leave_now()

    def join(self) -> None:
        """Wait for the end of the workers."""
        if not self._closed:
            raise ValueError("Pool is still running: close() or terminate() it first")
        if self._own:
            self._executor.shutdown(wait=True)

    def __enter__(self) -> Pool:
        self._check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()

    def _check(self) -> None:
        if self._closed:
            raise ValueError("Pool not running")

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")


class AsyncResult:
    """What the ``_async`` methods return; see `multiprocessing.pool.AsyncResult`."""

    def __init__(
        self,
        futures: list[Any],
        callback: Callable[[Any], Any] | None,
        error_callback: Callable[[BaseException], Any] | None,
        *,
        one: bool,
    ) -> None:
        self._futures = futures
        self._one = one
        self._callbacks = callback, error_callback
        self._left = len(futures)
        self._lock = threading.Lock()
        if callback is None and error_callback is None:
            return
        for future in futures:
            future.add_done_callback(self._count)

    def _count(self, future: Any) -> None:
        with self._lock:
            self._left -= 1
            last = not self._left
        if last:
            self._call_back()

    def _call_back(self) -> None:
        callback, error_callback = self._callbacks
        try:
            value = self.get()
        except Exception as error:  # noqa: BLE001 - it is the call's
            if error_callback is not None:
                error_callback(error)
        else:
            if callback is not None:
                callback(value)

    def ready(self) -> bool:
        """Have all calls ended?"""
        return all(future.done() for future in self._futures)

    def successful(self) -> bool:
        """Have they ended without an exception?"""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return not any(f.cancelled() or f.exception() is not None for f in self._futures)

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end of the calls."""
        for future in self._futures[-1:]:
            future._hurry()
        concurrent.futures.wait(self._futures, timeout)

    def get(self, timeout: float | None = None) -> Any:
        """Return the result, or the list of results, waiting for it.

        Raises
        ------
        multiprocessing.TimeoutError
            It was not there in time.
        Exception
            What a call raised.
        """
        if timeout is not None:
            self.wait(timeout)
            if not self.ready():
                raise multiprocessing.TimeoutError
        values = [future.result() for future in self._futures]
        return values[0] if self._one else values


class Results(Iterator[Any]):
    """What `imap` returns: an iterator, with a time limit for who wants one."""

    def __init__(self, take: Callable[[float | None], Any]) -> None:
        self._take = take

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result.

        Raises
        ------
        multiprocessing.TimeoutError
            It was not there in time; it may be asked for again.
        """
        try:
            return self._take(timeout)
        except TimeoutError:
            raise multiprocessing.TimeoutError from None

    def __next__(self) -> Any:
        return self.next()


class _AsTheyCome:
    """Calls of one function whose results are taken in the order in which they come."""

    def __init__(
        self, executor: Executor, func: Callable[[Any], Any], items: Iterator[Any]
    ) -> None:
        self._executor = executor
        self._func = func
        self._items = items
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._under_way = 0
        self._submit(AHEAD)

    def _submit(self, most: int) -> None:
        for item in itertools.islice(self._items, most):
            self._under_way += 1
            self._executor.submit(self._func, item).add_done_callback(self._ready.put)

    def next(self, timeout: float | None) -> Any:
        """Return a result that was not returned yet."""
        if not self._under_way:
            raise StopIteration
        try:
            future = self._ready.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        self._under_way -= 1
        if not self._executor._shut:
            self._submit(1)
        return future.result()
