"""Where an executor's calls go: a run of its own, one to join, or the run that it is made in."""

from __future__ import annotations

import os

from ..client import runtime as runtimes
from ..client.runtime import RootRuntime
from ..rundir import RunDir
from .here import ScriptsRun
from .joined import JoinedRun
from .link import ServedRuntime
from .opening import open_run
from .own import OwnRun
from .run import Root


def find(
    workers: int | None,
    run_dir: str | os.PathLike[str] | None,
    address: str | None,
    keys: str | None,
    edited: str | None,
    durability: str | None,
) -> Root | ScriptsRun | None:
    """Return where calls go, not yet started; None: this is a task."""
    if address is not None:
        return JoinedRun(address, keys)
    runtime = runtimes.current()
    if runtime is not None and inside_a_run():
        if not isinstance(runtime, RootRuntime):
            if run_dir is None:
                return None
        elif run_dir is None or _is_the_runs_own(runtime, run_dir):
            return ScriptsRun(runtime)
    return OwnRun(open_run(run_dir, workers, edited, durability))


def _is_the_runs_own(runtime: RootRuntime, run_dir: str | os.PathLike[str]) -> bool:
    """Is this the script of that very run, resumed?"""
    directory = RunDir(run_dir)
    return directory.run_json.exists() and directory.endpoint() == runtime.link.address()


def inside_a_run() -> bool:
    """Is this a task, or the script of ``scoop-ft run``, rather than a program of its own?"""
    runtime = runtimes.current()
    return runtime is not None and not isinstance(runtime, ServedRuntime)
