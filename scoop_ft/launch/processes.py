"""Child processes: started on a lifeline, watched without blocking, ended with all they started.

Knows nothing of brokers or tasks.  One object, one thread: the children's pipes and the wakeup
descriptor are for the owner's poll loop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Any, Final

from .. import lifeline

Sink = int | IO[Any] | None

_READ_BYTES: Final = 1 << 16
_STOPS_WATCHED: Final = hasattr(os, "WUNTRACED")
_HAS_PROC: Final = sys.platform == "linux"


@dataclass(frozen=True)
class Exited:
    """A child ended, with an exit code or (then ``code`` is 0) by a signal."""

    child: Child
    code: int
    signal: int


@dataclass(frozen=True)
class Paused:
    """A child was stopped (SIGSTOP), or goes on."""

    child: Child
    stopped: bool


Change = Exited | Paused


@dataclass(eq=False)
class Child:
    """A process that was started here.

    Attributes
    ----------
    role : str
        "broker", "root" or "worker".
    key : bytes
        What the owner knows it by: a worker's session.
    own_group : bool
        Whether it leads a process group, which then is ended with it.
    pipes : dict
        Descriptor of each pipe from it, and the name of the stream: "stdout" or "stderr".
    """

    role: str
    key: bytes
    pid: int
    own_group: bool
    born: float
    pipes: dict[int, str]
    process: subprocess.Popen[bytes]
    line: int  # the lifeline's write end
    stopped: bool = False
    reaped: bool = False
    ended_at: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    def signal(self, number: int) -> None:
        """Send a signal to the process (SIGKILL: to its group), if it lives."""
        if self.reaped:
            return
        try:
            if number == signal.SIGKILL and self.own_group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
            if number == signal.SIGTERM and self.stopped:
                os.kill(self.pid, signal.SIGCONT)  # so that it can hear it
        except ProcessLookupError:
            return  # a zombie's group may be gone: it will be reaped


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """What is started in here hears of a SIGINT when it lets them in itself.

    While Python starts, and while modules are imported, one may be swallowed.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class Children:
    """All children of this process."""

    def __init__(self) -> None:
        self.alive: dict[int, Child] = {}
        self._pipes: dict[int, Child] = {}

    def start(
        self,
        role: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: str,
        key: bytes = b"",
        own_group: bool = True,
        interrupts_wait: bool = False,
        stdin: Sink = subprocess.DEVNULL,
        stdout: Sink = subprocess.PIPE,
        stderr: Sink = subprocess.PIPE,
    ) -> Child:
        """Start a process that dies with this one."""
        read_end, write_end = os.pipe()
        try:
            waits = interrupts_wait or not own_group
            with _interrupts_wait() if waits else contextlib.nullcontext():
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={**environment, lifeline.VARIABLE: str(read_end)},
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    pass_fds=(read_end,),
                    start_new_session=own_group,
                    bufsize=0,
                )
            lifeline.tie(read_end, process.pid, own_group=own_group)
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        pipes = {}
        for name, file in (("stdout", process.stdout), ("stderr", process.stderr)):
            if file is not None:
                os.set_blocking(file.fileno(), False)
                pipes[file.fileno()] = name
        child = Child(
            role, key, process.pid, own_group, time.monotonic(), pipes, process, write_end
        )
        self.alive[child.pid] = child
        self._pipes.update(dict.fromkeys(pipes, child))
        return child

    # ---- what they say --------------------------------------------------------------------------

    @property
    def descriptors(self) -> list[int]:
        """The pipes to poll for reading."""
        return list(self._pipes)

    def read(self, descriptor: int) -> tuple[Child, str, bytes] | None:
        """Read from a pipe what is there; empty bytes: it has ended.  None: nothing to read."""
        child = self._pipes.get(descriptor)
        if child is None:
            return None
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return None
        stream = child.pipes[descriptor]
        if not data:
            self._close_pipe(child, descriptor)
        return child, stream, data

    def _close_pipe(self, child: Child, descriptor: int) -> None:
        del self._pipes[descriptor], child.pipes[descriptor]
        for file in (child.process.stdout, child.process.stderr):
            if file is not None and not file.closed and file.fileno() == descriptor:
                file.close()

    # ---- how they fare --------------------------------------------------------------------------

    def changes(self) -> list[Change]:
        """Reap who has ended and see who was stopped; whoever led a group takes it along."""
        found: list[Change] = []
        for child in list(self.alive.values()):
            change = self._look(child)
            while change is not None:
                found.append(change)
                change = None if child.reaped else self._look(child)
        return found

    def _look(self, child: Child) -> Change | None:
        flags = os.WNOHANG | (os.WUNTRACED | os.WCONTINUED if _STOPS_WATCHED else 0)
        try:
            pid, status = os.waitpid(child.pid, flags)
        except ChildProcessError:  # somebody else reaped it: all that is known is that it ended
            pid, status = child.pid, 0
        if pid == 0:
            return None
        if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
            child.stopped = os.WIFSTOPPED(status)
            return Paused(child, child.stopped)
        return self._bury(child, os.waitstatus_to_exitcode(status))

    def _bury(self, child: Child, code: int) -> Exited:
        if child.own_group:
            kill_group(child.pid)
        child.reaped = True
        child.ended_at = time.monotonic()
        child.process.returncode = code
        os.close(child.line)
        del self.alive[child.pid]
        return Exited(child, max(code, 0), max(-code, 0))

    def drain(self, child: Child) -> list[tuple[str, bytes]]:
        """Read what an ended child left in its pipes, and close them."""
        rest = []
        for descriptor, stream in list(child.pipes.items()):
            while (got := self.read(descriptor)) is not None and got[2]:
                rest.append((stream, got[2]))
            if descriptor in child.pipes:  # somebody that it started still holds the other end
                self._close_pipe(child, descriptor)
        return rest

    def kill_all(self) -> None:
        """End everything at once."""
        for child in self.alive.values():
            child.signal(signal.SIGKILL)


def kill_group(leader: int) -> None:
    """Kill what is left of a process group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        return


# ---- signals to this process --------------------------------------------------------------------


class Wakeup:
    """Signals of this process as bytes on a descriptor, for the poll loop.

    SIGCHLD and those that ask to end arrive within the loop, one at a time, and nothing is ever
    interrupted in its middle.  A signal that was ignored (``nohup``) stays ignored.
    """

    def __init__(self) -> None:
        self.descriptor, self._write_end = os.pipe()
        for end in (self.descriptor, self._write_end):
            os.set_blocking(end, False)
        self._former: dict[int, Any] = {}
        self._former_wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for name in ("SIGCHLD", "SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGWINCH", "SIGTSTP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, _only_wake)
        if hasattr(signal, "pthread_sigmask"):  # one may have waited while this process started
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def take(self) -> list[int]:
        """Return the signals that came since the last time, in order."""
        try:
            return list(os.read(self.descriptor, _READ_BYTES))
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Put everything back."""
        signal.set_wakeup_fd(self._former_wakeup)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        os.close(self.descriptor)
        os.close(self._write_end)


def _only_wake(number: int, frame: FrameType | None) -> None:
    """Let the wakeup descriptor have it."""


# ---- what psutil knows --------------------------------------------------------------------------


class Meter:
    """Memory and start times of processes, as psutil tells them.

    A run's start waits for the first answers, so Linux is asked itself; elsewhere psutil is
    imported.
    """

    def __init__(self) -> None:
        self._processes: dict[int, Any] = {}

    def rss_bytes(self, pid: int) -> int:
        """Return the resident memory of a process; 0 when it is gone."""
        if _HAS_PROC:
            return _rss_bytes(pid)
        return int(self._ask(pid, lambda process: process.memory_info().rss, 0))

    def created(self, pid: int) -> float:
        """Return when a process was started, by a clock of its machine; 0 when it is gone."""
        if _HAS_PROC:
            return _created(pid)
        return float(self._ask(pid, lambda process: process.create_time(), 0.0))

    def forget(self, pid: int) -> None:
        """Forget a process that has ended."""
        self._processes.pop(pid, None)

    def _ask(self, pid: int, question: Callable[[Any], float], otherwise: float) -> float:
        import psutil

        try:
            process = self._processes.get(pid)
            if process is None:
                process = self._processes[pid] = psutil.Process(pid)
            return question(process)
        except psutil.Error:
            self._processes.pop(pid, None)
            return otherwise


def _rss_bytes(pid: int) -> int:
    """Return the resident memory; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _created(pid: int) -> float:
    """Return when the process was started, in seconds since the machine was; 0 when it is gone.

    Not since the epoch: that moves with the clock, and one of weeks is set now and then.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            after_its_name = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return int(after_its_name[19]) / os.sysconf("SC_CLK_TCK")


def lives(pid: int, created: float) -> bool:
    """Tell whether the process that was started then still runs under this number."""
    import psutil

    try:
        process = psutil.Process(pid)
        began = [process.create_time(), *([_created(pid)] if _HAS_PROC else [])]
        same = any(abs(each - created) < 1.0 for each in began)
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def exists(pid: int) -> bool:
    """Tell whether there is a process of this number."""
    import psutil

    return bool(psutil.pid_exists(pid))


def is_stopped(pid: int) -> bool:
    """Tell whether a process was stopped (SIGSTOP)."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
