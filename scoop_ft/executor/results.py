"""What a `Pool` returns for results that are not there yet."""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..errors import TimeoutError  # the built-in one only since Python 3.11
from .public import Executor

AHEAD: Final = 4_096  # `imap` reads its iterable so far ahead of what is taken


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


class AsTheyCome:
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
