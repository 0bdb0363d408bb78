"""``scoop-ft broker``: the broker of a run that is there, without a launcher."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from typing import Any, NoReturn

from ..errors import RunError
from ..rundir import Live, LiveProcess, RunDir, RunInfo, locate
from . import commands, listening
from .launcher import counts, journal_summary
from .lock import RunLock
from .processes import Meter


def serve(run_dir: str, max_attempts: int | None) -> NoReturn:
    """Become the broker of a run, in this process, unless the run is over."""
    directory = locate(run_dir)
    info = directory.info()
    lock = RunLock(directory)
    lock.acquire()
    try:
        found = journal_summary(directory, unsafe_filesystem=info.unsafe_filesystem)
        if found["exit_code"] is not None:
            raise RunError(_over(directory, info, found["exit_code"]))
        listening.check(info.listen, recorded=True)
        if info.listen or info.machines:
            directory.make_keys()
        directory.choose_endpoint()
        us = LiveProcess(pid=os.getpid(), created=Meter().created(os.getpid()))
        directory.save_live(Live(host=socket.gethostname(), launcher=us, broker=us))
        command = commands.broker(directory, max_attempts or info.max_attempts, resume=False)
        print(f"scoop-ft: {_served(directory, info, found)}", file=sys.stderr, flush=True)
        lock.keep_through_exec()
        os.execve(command[0], command, commands.environment(info.seed, stdout_is_read=False))
    finally:
        lock.release()


def _served(directory: RunDir, info: RunInfo, found: dict[str, Any]) -> str:
    called = shlex.quote(directory.called)
    elsewhere = f" (it also listens on {info.listen})" if info.listen else ""
    return (
        f"serving run {info.run}, {counts(found)}{elsewhere}: workers join with "
        f"'scoop-ft worker {called}', and wait: its script is not started by this; to go on with "
        f"it end this (Ctrl-C), then 'scoop-ft {_again(info)} {called}'"
    )


def _over(directory: RunDir, info: RunInfo, exit_code: int) -> str:
    called = shlex.quote(directory.called)
    return (
        f"run {info.run} is over (exit code {exit_code}), and no worker has anything to do for it: "
        f"'scoop-ft journal export {called}' gives its results, 'scoop-ft {_again(info)} {called}' "
        "goes on with it"
    )


def _again(info: RunInfo) -> str:
    return "resume" if info.script else "serve"
