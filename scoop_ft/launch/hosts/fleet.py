"""The other machines of a run: keeps one agent alive on each, through ssh.

What is decided about each is decided by its `Keeper`; this starts ssh, hands it the orders, and
passes on what comes back.  Knows nothing of tasks: lost ones are the broker's matter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Final

import msgspec

from ...errors import RunError
from ...machines import Machines
from ...rundir import Keys, RunDir, RunInfo
from ..agent import STDERR_LINES, UNFIT
from ..output import Lines, Log, Screen
from ..processes import Child, Children, Exited
from . import line, orders, telling
from .keeper import Keeper
from .shares import Share, elsewhere

STARTING_AT_ONCE: Final = 32  # ssh's first steps need a processor
FILES: Final = 256  # open files of a launcher or broker, besides those
FILES_EACH: Final = 6  # for a machine
CORES: Final = 64  # of one, where nobody has said how many workers it has
_OWN: Final = b"scoop-ft: "


class _Remote:
    """One machine, and what its ssh has said."""

    def __init__(self, share: Share, log: Log) -> None:
        self.name = share.name
        self.workers = share.workers
        self.keeper = Keeper()
        self.child: Child | None = None
        self.address = ""
        self.pid = 0  # of its last agent, there
        self._log = log
        self.begin()

    def begin(self) -> None:
        """Forget what was said on an earlier connection."""
        self.hello = False
        self.stderr: list[str] = []
        self._lines = {"stdout": Lines(), "stderr": Lines()}

    @property
    def starting(self) -> bool:
        """Whether its ssh runs, and there is no agent yet."""
        return self.keeper.running and not self.hello

    def feed(self, stream: str, data: bytes) -> list[bytes]:
        """Take in bytes; return the whole lines there are now."""
        self._log.write(data)
        return self._lines[stream].feed(data, 0.0).splitlines(keepends=True)

    def rest(self) -> dict[str, bytes]:
        """Return incomplete lines: nothing follows."""
        rest = {stream: lines.flush() for stream, lines in self._lines.items()}
        return {stream: data + b"\n" for stream, data in rest.items() if data}

    def remember(self, text: bytes) -> None:
        """Keep the last lines of its stderr."""
        self.stderr = [*self.stderr, text.decode(errors="replace").strip()][-STDERR_LINES:]

    def write(self, data: bytes) -> None:
        """Write to the agent; one that has ended will be noticed by its end."""
        if self.child is not None and self.child.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.child.process.stdin.write(data)

    def close(self) -> None:
        """Note that its ssh has ended."""
        if self.child is not None and self.child.process.stdin is not None:
            self.child.process.stdin.close()
        self.child = None


class Fleet:
    """All other machines.

    Parameters
    ----------
    run, info
        The run; ``info.machines`` says which machines, or None for none.
    children, screen
        Shared with whoever else starts processes and writes here.
    """

    def __init__(self, run: RunDir, info: RunInfo, children: Children, screen: Screen) -> None:
        self._machines = info.machines or Machines(named=[])
        self._info = info
        self._children = children
        self._screen = screen
        self._leaving = False
        self._listen = self._machines.listen or info.listen
        self._keys: Keys | None = run.client_keys() if info.machines else None
        self._remotes = [
            _Remote(share, Log(run.log(f"host-{share.name}")))
            for share in elsewhere(self._machines)
        ]
        self._by_child: dict[int, _Remote] = {}
        _allow_files(len(self._remotes), self.wanted)

    # ---- for the launcher -----------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """How many workers there shall be, as far as is known."""
        return sum(remote.workers for remote in self._remotes)

    def trouble(self) -> str:
        """Say why there is no worker, when no machine has one."""
        if not self._remotes or self._info.workers or any(r.keeper.up for r in self._remotes):
            return ""
        known = [remote.keeper.trouble for remote in self._remotes]
        return f"no host is there; {known[0]}" if all(known) else "the hosts are being reached"

    def hopeless(self, workers: Any) -> str:
        """Say why there never will be a worker; empty as long as there is hope.

        It is lost when nothing works here and each machine has failed before any was ever up.

        Parameters
        ----------
        workers : int or None
            How many the broker knows, from wherever they have come.
        """
        keepers = [remote.keeper for remote in self._remotes]
        if not keepers or self._info.workers or workers or self._leaving:
            return ""
        if any(keeper.ever_up or not keeper.failures for keeper in keepers):
            return ""
        troubles = tuple(dict.fromkeys(keeper.trouble for keeper in keepers))
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return (
            "no host can be used, and there are no workers here (with '--hosts localhost' there "
            f"are): {troubles[0]}{more}"
        )

    # ---- as each place of workers ---------------------------------------------------------------

    def tick(self) -> None:
        """Start the agents that are due."""
        if self._leaving:
            return
        now = time.monotonic()
        free = STARTING_AT_ONCE - sum(remote.starting for remote in self._remotes)
        for remote in self._remotes:
            if free > 0 and remote.keeper.wait_s(now) <= 0:
                free -= 1
                self._start(remote)

    def wait_s(self) -> float:
        """Return for how long `tick` has nothing to do."""
        now = time.monotonic()
        busy = sum(remote.starting for remote in self._remotes) >= STARTING_AT_ONCE
        if self._leaving or busy:
            return float("inf")
        return min((remote.keeper.wait_s(now) for remote in self._remotes), default=float("inf"))

    def output(self, child: Child, stream: str, data: bytes) -> None:
        """Take in what an ssh printed: its own words, the agent's, or those of workers."""
        remote = self._by_child[child.pid]
        for text in remote.feed(stream, data):
            self._take(remote, stream, text)

    def exited(self, change: Exited) -> None:
        """Take in that an ssh has ended."""
        remote = self._by_child[change.child.pid]
        for stream, data in self._children.drain(change.child):
            self.output(change.child, stream, data)
        for stream, text in remote.rest().items():
            self._take(remote, stream, text)
        del self._by_child[change.child.pid]
        remote.close()
        if remote.hello and (change.code, change.signal) == (0, 0):
            remote.keeper.left(time.monotonic())
        elif not self._leaving:
            self._lost(remote, self._why(remote, change), in_vain=change.code == UNFIT)

    def leave(self) -> None:
        """Tell the agents to end in good order; where there is none yet, ssh ends."""
        self._leaving = True
        for remote in self._remotes:
            if remote.hello:
                remote.write(orders.LEAVE)
            elif remote.child is not None:
                remote.child.signal(signal.SIGTERM)

    # ---- one machine ----------------------------------------------------------------------------

    def _start(self, remote: _Remote) -> None:
        built = line.build(self._machines, remote.name, self._listen)
        remote.begin()
        remote.address = built.address
        try:
            remote.child = self._children.start(
                "ssh", built.command, os.environ, cwd=self._info.cwd, stdin=subprocess.PIPE
            )
        except OSError as error:  # out of processes or memory
            self._lost(remote, f"ssh {remote.name} cannot be started: {error}")
            return
        remote.keeper.started()
        self._by_child[remote.child.pid] = remote

    def _take(self, remote: _Remote, stream: str, text: bytes) -> None:
        """Act on one line."""
        word = orders.read(text) if stream == "stderr" else None
        if word is not None:
            self._told(remote, word)
        elif not remote.hello:
            remote.remember(text)  # ssh's, or of whatever a shell there runs first
        elif stream == "stdout":
            self._screen.write(1, text)
        else:
            remote.remember(text)
            if not telling.is_of_ssh(text):  # what it says last is told with its end
                self._show(remote, text)

    def _show(self, remote: _Remote, text: bytes) -> None:
        """Show a line of stderr; what scoop-ft itself says there is told with its place."""
        if not text.startswith(_OWN):
            self._screen.write(2, text)
        elif not text.startswith(_OWN + b"error: "):  # that comes with its end
            said = text.removeprefix(_OWN).decode(errors="replace").rstrip()
            self._screen.note(f"{remote.name}: {said}")

    def _told(self, remote: _Remote, word: orders.Word) -> None:
        if word.hello and not remote.hello:
            remote.hello = True
            remote.write(msgspec.json.encode(self._orders(remote)) + b"\n")
            remote.pid = word.hello
        elif word.up and not remote.keeper.up:
            remote.workers = word.up
            if remote.keeper.welcomed(time.monotonic()):
                self._screen.note(f"{remote.name} is there again, with {word.up} workers")

    def _orders(self, remote: _Remote) -> orders.Orders:
        if self._keys is None:
            raise RunError("this run has no keys: its folder keys is gone")
        return orders.Orders(
            address=remote.address,
            launcher=socket.gethostname(),
            keys=self._keys,
            workers=remote.workers,
            cwd=self._info.cwd,
            path=self._machines.path,
            replaces=remote.pid,
            max_tasks=self._info.max_tasks_per_worker,
            max_memory=self._info.max_memory_per_worker,
            resources=self._info.resources,
        )

    def _why(self, remote: _Remote, change: Exited) -> str:
        code, by, said = change.code, change.signal, remote.stderr
        if not remote.hello:
            return telling.before_hello(remote.name, line.python(self._machines), code, by, said)
        return telling.after_hello(remote.name, code, by, said, was_up=remote.keeper.up)

    def _lost(self, remote: _Remote, why: str, *, in_vain: bool = False) -> None:
        """Note why a machine has no agent, and say it unless it was said."""
        if remote.keeper.ended(why, time.monotonic(), in_vain=in_vain):
            again = f"tried again in {remote.keeper.delay_s():.3g} s"
            self._screen.say(f"{why}; {self._left()}; it is {again}")

    def _left(self) -> str:
        """Say who is left to work."""
        here = int(self._info.workers > 0)
        good = sum(not remote.keeper.trouble for remote in self._remotes) + here
        of = len(self._remotes) + here
        return f"the run goes on with {good} of {of} hosts" if good else "no other host is there"


def _allow_files(machines: int, workers: int) -> None:
    """Let this process, and the broker that it starts, have a connection to each."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    needed = FILES + machines * FILES_EACH + max(workers, machines * CORES)
    if machines and soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, most), hard))
