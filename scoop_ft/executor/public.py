"""`Executor`: what users call.  Checks arguments and submits; `place` says where calls go."""

from __future__ import annotations

import atexit
import concurrent.futures
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from .. import coroutines, script, shared
from ..client import runtime as runtimes
from ..client.groups import as_ranges
from ..client.runtime import Runtime
from ..client.scopes import define
from ..errors import BrokenRun
from ..launch.processes import usable_cores
from ..optioned import like
from . import initializer as init
from . import left_out
from .future import Future
from .here import ScriptsRun, call_now
from .mapping import Mapping
from .own import OwnRun
from .place import find
from .run import Root, living

T = TypeVar("T")

_open: weakref.WeakSet[Executor] = weakref.WeakSet()
_python_ends = False


class Executor(concurrent.futures.Executor):
    """A `concurrent.futures.Executor` that no death of a process breaks.

    In a program of its own (a script started with ``python``, a notebook) it starts a broker and
    workers, and ends them.  In a script that was started with ``scoop-ft run``, and without
    ``run_dir`` and ``address``, its calls go to that run's workers.

    Parameters
    ----------
    max_workers : int, optional
        By default as many as cores that this process may use (opened again: as before).
    mp_context, max_tasks_per_child : None
        The standard library's, for those who have them: what they say cannot be had here.
    run_dir : path, optional
        Where results are kept.  Opened again on the same directory, calls find their recorded
        results.  By default a temporary one, which goes when the executor is shut down.
    address : str, optional
        Join a run that somebody else keeps: its directory, or its broker's address.
    keys : str, optional
        With a tcp address: the folder ``keys`` of the run directory, or a copy of it.
    initializer, initargs : callable and tuple, optional
        Called once in each worker before its first call of this executor.  When it raises, all
        calls end with just this exception.
    edited : {"redo", "keep"}, optional
        When functions were edited since ``run_dir`` was last used: compute their results again, or
        keep them.  By default the executor refuses to open then.
    durability : {"synced", "none"}, optional
        "none": what is recorded survives the death of any process, and is lost when the machine
        stops.  By default it survives that, too (opened again: as before).

    Raises
    ------
    RunError
        It cannot be opened as asked; the message says what to do.

    Examples
    --------
    >>> with Executor(max_workers=2) as executor:  # doctest: +SKIP
    ...     executor.submit(pow, 2, 10).result()
    1024
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: None = None,
        run_dir: str | os.PathLike[str] | None = None,
        address: str | None = None,
        keys: str | None = None,
        edited: str | None = None,
        durability: str | None = None,
    ) -> None:
        left_out.check("Executor", mp_context=mp_context, max_tasks_per_child=max_tasks_per_child)
        script.refuse_while_importing(
            "makes an Executor outside of 'if __name__ == \"__main__\":'",
            "put it under that line, since each worker imports the script",
        )
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if edited not in (None, "redo", "keep"):
            raise ValueError(f'edited must be "redo" or "keep", not {edited!r}')
        if durability not in (None, "synced", "none"):
            raise ValueError(f'durability must be "synced" or "none", not {durability!r}')
        if address is not None and run_dir is not None:
            raise ValueError("give run_dir (a run of this program) or address (one to join)")
        self._lock = threading.RLock()
        self._shut = False
        self._failed: BaseException | None = None  # the initializer's
        self._key = ""
        self._process = os.getpid()
        self._kept = run_dir
        self._called = "Executor"  # by the user, who may have a pool
        self._run = find(max_workers, run_dir, address, keys, edited, durability)
        self._max_workers = self._workers(max_workers)  # the standard's name: libraries look for it
        if self._run is not None:
            self._run.start()
        try:
            if self._run is not None:
                shared.bring(self._run.runtime)
            if initializer is not None:
                self._set_initializer(initializer, initargs)
        except BaseException:  # nobody has this executor: the run would stay open
            self.shutdown(cancel_futures=True)
            raise
        _open.add(self)

    def _workers(self, asked_for: int | None) -> int:
        """Return how many calls may run at the same time; of others' runs it is a guess."""
        if self._run is None:
            return 1
        return self._run.workers if isinstance(self._run, OwnRun) else asked_for or usable_cores()

    def _set_initializer(self, initializer: Callable[..., Any], initargs: tuple[Any, ...]) -> None:
        self._key = init.name(initializer, initargs)
        if self._run is not None:
            self._run.server.translate = self._translate
        self._runtime().set_const(self._key, (initializer, tuple(initargs)))

    def _runtime(self) -> Runtime:
        runtime = runtimes.current() if self._run is None else self._run.runtime
        assert runtime is not None  # a task has one
        return runtime

    # ---- submitting --------------------------------------------------------------------------

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future:
        """Call ``fn(*args, **kwargs)`` in a worker; return a future of its result.

        Arguments are pickled now: what you change afterwards is not seen by the call.

        Raises
        ------
        UnpicklableError
            The function or an argument cannot be sent.
        RuntimeError
            The executor was shut down.
        BrokenRun
            The run has ended under it.
        """
        with self._lock:
            self._check()
            run = self._run
            if run is None:
                return call_now(self._initialized(fn), args, kwargs, self._translate)
            run.tell_imports()
            _, group, index = run.runtime.submit(define(self._initialized(fn)), args, kwargs)
            return run.server.expect(group, index)

    def _initialized(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        if self._key:
            coroutines.refuse(fn)  # which is not seen any more behind ours
        return like(fn, init.Initialized(self._key, fn)) if self._key else fn

    def _check(self) -> None:
        if self._process != os.getpid():
            raise RuntimeError(
                "this process was forked from the one that made the Executor: make one of its own"
            )
        if self._shut:
            when = "interpreter shutdown" if _python_ends else "shutdown"
            raise RuntimeError(f"cannot schedule new futures after {when}")
        if self._failed is not None:
            raise concurrent.futures.BrokenExecutor(
                f"the initializer failed: {self._failed!r}"
            ) from self._failed
        if self._run is not None and self._run.server.broken is not None:
            raise BrokenRun(str(self._run.server.broken))

    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call ``fn`` for the items of the iterables; iterate over the results in order.

        Parameters
        ----------
        fn : callable
        *iterables
            As for the builtin `map`: it ends with the shortest.
        timeout : float, optional
            Seconds from now until the last result must be there.
        chunksize : int
            As in the standard library; nothing is gained by it, since calls travel in batches in
            any case.
        buffersize : int, optional
            Submit no more than so many calls whose results were not yet taken, and read the
            iterables only so far: they may be endless.

        Raises
        ------
        TimeoutError
            While iterating: a result was not there in time.
        Exception
            While iterating: what the call in its place raised.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        return self._results(self._begin_map(fn, iterables, timeout, buffersize))

    def _begin_map(
        self, fn: Callable[..., Any], iterables: Sequence[Iterable[Any]], timeout: float | None,
        ahead: int | None,
    ) -> Mapping:  # fmt: skip
        server = None if self._run is None else self._run.server
        with self._lock:
            self._check()
            if self._run is not None and server is not None:
                self._run.tell_imports()
                server.hold()
        try:  # without our lock: to read the iterables is user code, which may wait for others
            function = define(self._initialized(fn))
            mapping = Mapping(self._runtime(), function, iterables, timeout, ahead, server=server)
            mapping.begin()
        finally:
            if server is not None:
                server.let_go()
        return mapping

    def _results(self, mapping: Mapping) -> Iterator[Any]:
        try:
            yield from mapping.results()
        except BaseException as error:
            told = self._translate(error)
            if told is error:
                raise
            raise told from told.__cause__
        finally:
            mapping.close()

    # ---- the initializer ---------------------------------------------------------------------

    def _translate(self, error: BaseException) -> BaseException:
        """Return what a call is said to have failed with."""
        own = init.error_of(error)
        if own is None:
            return error
        self._initializer_failed(own)
        return own

    def _initializer_failed(self, error: BaseException) -> None:
        """Say it once; all that waits ends with it."""
        with self._lock:
            if self._failed is not None:
                return
            self._failed = error
        print(f"scoop-ft: the initializer failed: {error!r}", file=sys.stderr, flush=True)
        for future in [] if self._run is None else self._run.server.arrivals.give_up():
            future._ends_with(None, error)

    # ---- the end -----------------------------------------------------------------------------

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end when those that there are have ended.

        Parameters
        ----------
        wait : bool
            Return only then.
        cancel_futures : bool
            Give up what has not started.
        """
        with self._lock:
            self._shut = True
        run = self._run
        if run is None or self._process != os.getpid():
            return
        if cancel_futures:
            self._cancel_all(run)
        run.end(at_once=False)
        if wait:
            run.server.join()

    def _cancel_all(self, run: Root | ScriptsRun) -> None:
        """Give up all but as many calls as there are workers: these count as begun.

        Their futures, and who iterates over results, hear of it as of results.
        """
        ordinals = list(run.server.unfinished())
        run.server.cancel(as_ranges(ordinals[run.workers :]))

    def is_open(self) -> bool:
        """May calls be submitted?"""
        broken = self._run is not None and self._run.server.broken is not None
        return not (self._shut or broken or self._failed is not None)

    def _leave_now(self) -> None:
        """End in good order if nothing is under way, else break off, also what was shut down."""
        if self._run is None or self._run.server.is_idle():
            self.shutdown(wait=True)
        else:
            self._break_off(quietly=True)

    def _break_off(self, *, quietly: bool = False) -> None:
        """Ctrl-C: whoever wants to leave does not wait for what runs."""
        with self._lock:
            self._shut = True
        if self._run is not None:
            self._run.end(at_once=True)
            self._run.server.join()
        if not quietly:
            self._say_kept()

    def _say_kept(self) -> None:
        """It was broken off: say how to go on."""
        if self._kept is not None:
            print(
                f"scoop-ft: stopped; what is done is kept in {self._kept}: open it again with "
                f"{self._called}(run_dir=…)",
                file=sys.stderr,
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._break_off()
        else:
            self.shutdown(wait=True)

    def __del__(self) -> None:
        """Nobody can submit any more: it ends when what there is has ended."""
        run = self.__dict__.get("_run")
        if run is not None and not self._shut and self._process == os.getpid():
            run.end(at_once=False)

    def __reduce__(self) -> Any:
        raise TypeError("an Executor cannot be sent to another process")

    def __repr__(self) -> str:
        return f"<Executor {'shut down' if self._shut else 'open'} at {id(self):#x}>"


def _at_exit() -> None:
    """Python ends: what was submitted is waited for, as in the standard library.

    Not after a Ctrl-C that nobody has caught: then it is as inside of ``with``.
    """
    global _python_ends
    _python_ends = True
    stopped = _is_interrupted()
    runs = living()
    opened = list(_open)
    at_work = [executor for executor in opened if executor._run in runs]
    for executor in opened:
        executor._shut = True
    for run in runs:
        try:
            run.end(at_once=stopped)
            run.server.join()
        except KeyboardInterrupt:
            stopped = True
            run.end(at_once=True)
            run.server.join()
    if stopped and opened:
        for executor in at_work:
            executor._say_kept()
        _die_of_interrupt()


def _is_interrupted() -> bool:
    """Does Python end with a Ctrl-C?  At a prompt the last exception may be an old one."""
    last = getattr(sys, "last_type", None)
    at_prompt = hasattr(sys, "ps1")
    return isinstance(last, type) and issubclass(last, KeyboardInterrupt) and not at_prompt


def _die_of_interrupt() -> None:
    """Let Python die of SIGINT as it does of a Ctrl-C that nobody has caught: a shell's loop ends.

    It notes such an exception as it leaves code that came as text, and forgets it when any thread
    runs other text, as each import of a module with a namedtuple does.
    """
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return


atexit.register(_at_exit)
