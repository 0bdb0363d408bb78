"""`Pool`: the calls of `multiprocessing.Pool`, on an `Executor`.

For what takes a pool: emcee, dynesty, pymoo, the ``workers=`` of scipy.  Decides nothing: each
method says in terms of an executor what it does in the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from .executor import Executor, left_out
from .executor.results import AHEAD, AsTheyCome, AsyncResult, Results


class Pool:
    """A pool of workers that no death of a process breaks; see `multiprocessing.pool.Pool`.

    In a script of ``scoop-ft run`` it is that run's workers, unless arguments say otherwise.

    Parameters
    ----------
    processes : int, optional
    initializer, initargs : callable and tuple, optional
    maxtasksperchild, context : None
        The standard library's, for those who have them: what they say cannot be had here.
    run_dir, address, keys, edited, durability
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
        maxtasksperchild: None = None,
        context: None = None,
        *,
        run_dir: str | os.PathLike[str] | None = None,
        address: str | None = None,
        keys: str | None = None,
        edited: str | None = None,
        durability: str | None = None,
        executor: Executor | None = None,
    ) -> None:
        left_out.check("Pool", maxtasksperchild=maxtasksperchild, context=context)
        self._own = executor is None
        self._closed = False
        self._executor = executor or Executor(
            processes, run_dir=run_dir, address=address, keys=keys, initializer=initializer,
            initargs=initargs, edited=edited, durability=durability,
        )  # fmt: skip
        if self._own:
            self._executor._called = "Pool"

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
        found: list[Any] = self.starmap_async(func, items).get()
        return found

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
        return Results(AsTheyCome(self._executor, func, iter(iterable)).next)

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
        if self._own and kind is not None and issubclass(kind, KeyboardInterrupt):
            self._closed = True
            self._executor._break_off()
        else:
            self.terminate()

    @property
    def _processes(self) -> int:
        """How many calls may run at the same time: the standard's name, libraries look for it."""
        return self._executor._max_workers

    def _check(self) -> None:
        if self._closed:
            raise ValueError("Pool not running")

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")
