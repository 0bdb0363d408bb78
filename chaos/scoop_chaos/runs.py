"""Starts, watches and kills whole runs: by the real command, with real signals.

All that is known of a run is what `scoop-ft status --json` says of it.  Nothing here sleeps for an
amount of time that has to be enough: what is waited for is a condition, and not meeting it within
its limit raises `RunFailed` with what the run had said by then.  Nothing here decides which fault
comes when.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from .signals import send

COMMAND = (sys.executable, "-m", "scoop_ft")
LIMIT_S = 60.0
POLL_S = 0.02
FAMILY = ("launcher", "root", "broker", "workers")

Status = dict[str, Any]


class RunFailed(AssertionError):
    """A run did not do what it had to."""


def require(fact: object, why: Callable[[], str]) -> None:
    """Raise `RunFailed` unless something is so."""
    if not fact:
        raise RunFailed(why())


class RunProcess:
    """One run in a folder: its launcher, and what the status says of the others.

    The outputs of the k-th command go to the files ``stdout.k`` and ``stderr.k`` of the folder.

    Parameters
    ----------
    folder : Path
        Where commands are typed; the run directory is the last one in its ``.scoop-ft``, unless
        ``--run-dir`` is among the words of `start`.
    environ : mapping, optional
        The environment of the commands that start something, in place of ours.
    prefix : sequence of str, optional
        Words before each command, such as those that put it on another host.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.environ = environ
        self._command = (*prefix, *COMMAND)
        self._commands: list[subprocess.Popen[bytes]] = []
        self._run_dir: list[str] = []

    # ---- starting -------------------------------------------------------------------------------

    def start(self, *words: str | os.PathLike[str]) -> RunProcess:
        """Type ``scoop-ft run words``."""
        args = [os.fspath(word) for word in words]
        if "--run-dir" in args:
            self._run_dir = [args[args.index("--run-dir") + 1]]
        return self._type("run", *args)

    def resume(self, *words: str | os.PathLike[str]) -> RunProcess:
        """Type ``scoop-ft resume words``, for this run."""
        return self._type("resume", *self._run_dir, *(os.fspath(word) for word in words))

    def _type(self, *words: str) -> RunProcess:
        idle = not self._commands or self._commands[-1].poll() is not None
        require(idle, lambda: "it runs still")
        self._commands.append(self._popen(len(self._commands) + 1, words))
        return self

    def _popen(self, number: int, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with (
            open(self.folder / f"stdout.{number}", "wb") as out,
            open(self.folder / f"stderr.{number}", "wb") as err,
        ):
            return subprocess.Popen(
                [*self._command, *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.environ,
            )

    # ---- looking --------------------------------------------------------------------------------

    @property
    def command_pid(self) -> int:
        """The process id of the last command."""
        return self._commands[-1].pid

    @property
    def output(self) -> str:
        """What the last command wrote to its standard output so far."""
        return (self.folder / f"stdout.{len(self._commands)}").read_text()

    @property
    def errors(self) -> str:
        """What the last command wrote to its standard error so far."""
        return (self.folder / f"stderr.{len(self._commands)}").read_text()

    def status(self) -> Status:
        """Return what ``scoop-ft status --json`` says now."""
        done = self._ask()
        require(done.returncode == 0, lambda: f"status failed: {done.stderr}{self._told()}")
        found: Status = json.loads(done.stdout)
        return found

    def _ask(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, "status", "--json", *self._run_dir],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    def wait_until(self, predicate: Callable[[Status], Any], limit: float = LIMIT_S) -> Status:
        """Ask for the status until the predicate is true of it; return that status.

        A run that ends before, or a limit that passes, raises `RunFailed`.
        """
        deadline = time.monotonic() + limit
        found: Status = {}
        while True:
            ended = self._commands[-1].poll()
            done = self._ask()
            if done.returncode == 0:  # else: no run directory yet
                found = json.loads(done.stdout)
                if predicate(found):
                    return found
            if ended is not None:
                raise RunFailed(f"the run ended before ({ended}){self._told(found)}")
            if time.monotonic() > deadline:
                raise RunFailed(f"not within {limit} s: {done.stderr}{self._told(found)}")
            time.sleep(POLL_S)

    def wait_for_tasks(self, done: int, limit: float = LIMIT_S) -> Status:
        """Wait until so many tasks are done and all processes of the run are up."""
        return self.wait_until(
            lambda found: found["tasks"]["done"] >= done and is_whole(found), limit
        )

    def _told(self, found: Status | None = None) -> str:
        shown = "" if found is None else f"\nstatus: {json.dumps(found, indent=1)}"
        return f"{shown}\nstdout: {self.output[-2000:]}\nstderr: {self.errors[-4000:]}"

    # ---- killing --------------------------------------------------------------------------------

    def kill(self, *names: str, number: int = signal.SIGKILL) -> list[int]:
        """Send a signal to processes of the run; return their pids.

        Parameters
        ----------
        *names : str
            Of ``launcher``, ``root``, ``broker``, ``workers`` (all) and ``worker`` (the first).
        number : int, optional
            The signal.
        """
        found = self.status()
        victims = [pid for name in names for pid in pids(found, name)]
        require(victims, lambda: f"nobody there of {names}{self._told(found)}")
        for pid in victims:
            send(pid, number)  # the launcher's death takes the others along
        return victims

    def kill_everything(self) -> list[int]:
        """Kill launcher, root, broker and workers at once; return when all are gone."""
        victims = self.kill(*FAMILY)
        self._commands[-1].wait(LIMIT_S)
        self.wait_gone(victims)
        return victims

    def wait_gone(self, victims: Sequence[int], limit: float = LIMIT_S) -> None:
        """Wait until processes have ended."""
        deadline = time.monotonic() + limit
        while left := [pid for pid in victims if not is_gone(pid)]:
            if time.monotonic() > deadline:
                raise RunFailed(f"{left} live still{self._told()}")
            time.sleep(POLL_S)

    # ---- the end --------------------------------------------------------------------------------

    def has_ended(self) -> bool:
        """Tell whether the last command has ended."""
        return self._commands[-1].poll() is not None

    def wait(self, limit: float = LIMIT_S) -> int:
        """Wait until the last command ends; return its exit code."""
        try:
            return self._commands[-1].wait(limit)
        except subprocess.TimeoutExpired:
            shown = self.status()
            raise RunFailed(f"it did not end within {limit} s{self._told(shown)}") from None

    def finish(self, limit: float = LIMIT_S) -> str:
        """Wait for a good end; return the output."""
        code = self.wait(limit)
        require(code == 0, lambda: f"exit code {code}{self._told()}")
        return self.output

    def end(self) -> None:
        """Kill the command that runs still, if one does; the rest of the run dies with it."""
        for command in self._commands:
            if command.poll() is None:
                command.kill()
            command.wait()


def is_whole(found: Status) -> bool:
    """Tell whether launcher, root, broker and at least one worker live."""
    return all(pids(found, name) for name in FAMILY)


def pids(found: Status, name: str) -> list[int]:
    """Return the process ids that a status gives for a name (see `RunProcess.kill`)."""
    if name in ("worker", "workers"):
        workers = [worker["pid"] for worker in found["workers"] if worker["pid"]]
        return workers[:1] if name == "worker" else workers
    return [found[name]["pid"]] if found[name]["pid"] else []


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


# ---- what is left ---------------------------------------------------------------------------


def left_in(place: Path, limit: float = 10.0) -> list[str]:
    """Return the processes that have a path in their command line or work in it, as text.

    Those that are about to end get until the limit; those that do not are killed.
    """
    deadline = time.monotonic() + limit
    while left := list(_processes_in(str(place))):
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    shown = [_describe(process) for process in left]
    for process in left:
        process.kill()
    return shown


def _processes_in(place: str) -> Iterator[psutil.Process]:
    inside = re.compile(re.escape(place) + r"(?![\w-])")  # pytest-1 is not pytest-10
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        if process.pid not in mine and any(map(inside.search, _texts(process))):
            yield process


def _texts(process: psutil.Process) -> list[str]:
    """Return a process's command line and folder; nothing of one that ended or is not ours."""
    texts: list[str] = []
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            texts += process.cmdline()
            texts.append(process.cwd())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
    return texts


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} ({process.status()}): {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{process.pid}, which ended just now"
