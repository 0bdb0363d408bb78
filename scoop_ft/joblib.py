"""The joblib backend: ``joblib.parallel_config("scoop_ft")``, once this module is imported.

Each call that joblib makes is one task: run again with the same ``run_dir``, it finds its result.
Inside a task joblib computes serially, so that nesting asks for no more than there is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from joblib import register_parallel_backend
from joblib.parallel import ParallelBackendBase, SequentialBackend

from .executor import Executor, inside_a_run
from .joblib_keys import key_of
from .joblib_large import LARGE_BYTES, Large, Pickled, pickled
from .launch.processes import usable_cores
from .optioned import Optioned, options

_lock = threading.Lock()
_shared: tuple[Any, Executor] | None = None  # what it was opened with; opening one takes a second


def register() -> None:
    """Make the backend known to joblib by its name."""
    register_parallel_backend("scoop_ft", ScoopBackend)


class ScoopBackend(ParallelBackendBase):  # type: ignore[misc]
    """Runs joblib's calls on an `Executor`.

    Parameters
    ----------
    nesting_level, inner_max_num_threads
        joblib's.
    executor : Executor, optional
        Use this one.  By default one that all calls share, with as many workers as ``n_jobs`` says.
    run_dir, address, keys, edited
        As for `Executor`.
    """

    supports_retrieve_callback = True
    supports_return_generator = True
    supports_timeout = True

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        executor: Executor | None = None,
        run_dir: str | None = None,
        address: str | None = None,
        keys: str | None = None,
        edited: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(
            nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads, **more
        )
        self._given = executor
        self._options = {"run_dir": run_dir, "address": address, "keys": keys, "edited": edited}
        self._executor: Executor | None = None
        self._under_way: set[Any] = set()
        self._large = Large()
        self._shares = True

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls joblib shall think of as running at the same time."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None or (self.nesting_level or 0) > 0:
            return 1
        return n_jobs if n_jobs > 0 else max(usable_cores() + 1 + n_jobs, 1)

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        max_nbytes: int | None = LARGE_BYTES,
        mmap_mode: str | None = "r",
        **more: Any,
    ) -> int:
        """Be ready for calls; what says how joblib maps large arrays says whether we share them."""
        self.parallel = parallel
        self._shares = max_nbytes is not None and mmap_mode == "r"
        n_jobs = self.effective_n_jobs(n_jobs)
        self._executor = self._given or _share(n_jobs, self._options)
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Any:
        """Submit one batch of joblib's calls."""
        executor = self._executor
        assert executor is not None
        large = None if executor._run is None else pickled(func)  # in a task it is called at once
        known = _with_options(func, large)
        sent = func
        if large is not None and self._shares:
            sent = self._large.packed(executor, large)
        future = executor.submit(known, sent)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit  # joblib before 1.5

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return what came of a batch."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Give up what has not ended: nobody waits for it, not when Python ends, either."""
        for future in list(self._under_way):
            future.cancel(subtree=True)
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """Return what calls inside of a call use."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None


def _call(batch: Callable[[], Any]) -> Any:
    """Be the function of the task: the batch is its argument, and not recorded as a function."""
    return batch()


def _with_options(batch: Any, large: Pickled | None) -> Callable[[Callable[[], Any]], Any]:
    """Return `_call` with the options of the function that a batch calls, and what it is known by.

    Which does not depend on the way that a large array goes.
    """
    known_by = key_of(batch, () if large is None else large.digests)
    given: dict[str, Any] = {} if known_by is None else {"key": known_by}
    calls = getattr(batch, "items", [])
    if any(type(func) is Optioned for func, _, _ in calls):
        if len(calls) > 1:
            raise ValueError(
                "joblib: calls with options are submitted one by one: no batch_size, please"
            )
        [(func, args, kwargs)] = calls
        given.update(func.given)
        if func.key is not None:
            given["key"] = func.key_of(args, kwargs)
    return options(_call, **given) if given else _call


def _share(n_jobs: int, opening: dict[str, Any]) -> Executor:
    """Return the executor that calls share, with so many workers."""
    global _shared
    inside = inside_a_run() and opening["run_dir"] is None and opening["address"] is None
    wanted = (None if inside else n_jobs, tuple(opening.items()))
    with _lock:
        if _shared is not None and (_shared[0] != wanted or not _shared[1].is_open()):
            _shared[1].shutdown()
            _shared = None
        if _shared is None:
            _shared = wanted, Executor(n_jobs, **opening)
        return _shared[1]


register()
