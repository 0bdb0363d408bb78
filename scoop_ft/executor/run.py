"""A run that an `Executor` is the root of: one of its own, or one that it has joined.

Joins the client's session and link to the thread that serves the futures; of a run of its own it
also keeps the keeper.  Everything is started in `open`, and ended once, in the serving thread.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import psutil

from .. import references, script
from ..client import runtime as runtimes
from ..client.connection import Connection
from ..client.session import Session
from ..client.sources import Sources
from ..errors import BrokenRun, RunError
from ..launch import commands, keeper
from ..launch.processes import Child, Children, Exited
from ..launch.wording import how_it_ended
from ..rundir import RunDir
from ..wire.messages import End
from .link import ServedLink, ServedRuntime
from .modules import Modules
from .opening import Opened
from .serving import Server

WELCOME_S: Final = 10.0  # for the broker of a run that is joined
OTHER_ROOT_S: Final = 1.0  # for one that has left to be found out
ASK_AGAIN_S: Final = 0.1
KEEPER_DEATHS: Final = 5  # in a row, each before the broker had answered
CLOCKS_S: Final = 2.0  # so far the clocks of processes and of files may be apart
PATIENCE_S: Final = 15.0  # for the keeper to end what it has started

_alive: weakref.WeakSet[Root] = weakref.WeakSet()


class Root(ABC):
    """This process as the root of a run.

    Attributes
    ----------
    workers : int
        How many calls can run at the same time, as far as it is known.
    """

    workers = 1

    def __init__(self, connection: Connection, seed: int) -> None:
        self.session = Session(os.urandom(8), "root", socket.gethostname())
        self.session.seed = seed
        self.link = ServedLink(self.session, connection, lambda: self.server.flush())
        self.runtime = ServedRuntime(self.session, self.link)
        self.server = Server(self.runtime, self.look, self._end)
        self.modules = Modules(Sources(self.session, self.link, may_change=True))
        self._process = os.getpid()
        self._at_once = False

    def start(self) -> None:
        """Connect, and serve."""
        self.link.start()
        self.server.start()
        _alive.add(self)
        self.check()
        if runtimes.current() is None:
            runtimes.install(self.runtime)
        self.modules.say_python()
        self.modules.say_all()

    def check(self) -> None:
        """May this process be the root?  Nothing that counts was said yet."""

    def end(self, *, at_once: bool) -> None:
        """End when nothing is waited for; ``at_once``: give up what is not done."""
        self._at_once = self._at_once or at_once
        self.server.end(at_once=at_once)

    def _end(self) -> None:
        """Leave the run (in the serving thread)."""
        try:
            self.leave(at_once=self._at_once)
        except (BrokenRun, OSError):
            pass  # it has ended already, one way or the other
        finally:
            self.server.abandon()
            if runtimes.current() is self.runtime:
                runtimes.install(None)
            self.session.ended = self.session.ended or "the executor was shut down"
            self.link.close()
            _alive.discard(self)

    @abstractmethod
    def look(self) -> None:
        """See to what must live; raises BrokenRun when it cannot."""

    @abstractmethod
    def leave(self, *, at_once: bool) -> None:
        """Say good-bye."""

    def forked(self) -> None:
        """This is a child that was forked: what the parent holds must not live on in it."""


class OwnRun(Root):
    """A run that lives as long as its executor, or until it is opened again."""

    def __init__(self, opened: Opened) -> None:
        directory = opened.directory
        super().__init__(Connection(directory.endpoint, directory.client_keys), opened.info.seed)
        self.opened = opened
        self.workers = opened.info.workers
        self._children = Children()
        self._deaths = 0
        self._failure = ""

    def start(self) -> None:
        """Start the keeper, which starts all else."""
        _adopt(self.opened.info.script, self.opened.info.args)
        self._start_keeper(again=self.opened.again)
        super().start()
        if self.opened.info.script:
            self.modules.say_script(self.opened.info.script)

    def _start_keeper(self, *, again: bool) -> None:
        more = [keeper.AGAIN] if again else []
        command = [sys.executable, "-m", keeper.__name__, str(self.opened.directory.path), *more]
        environment = commands.environment(self.opened.info.seed, stdout_is_read=False)
        self._children.start(
            "keeper", command, environment, cwd=self.opened.info.cwd, stdout=None, stderr=None
        )

    def look(self) -> None:
        """Start the keeper again when somebody has killed it."""
        for change in self._children.changes():
            if isinstance(change, Exited):
                self._keeper_ended(change)

    def _keeper_ended(self, change: Exited) -> None:
        how = how_it_ended(change.code, change.signal)
        self._deaths = 0 if self.session.welcomed else self._deaths + 1
        if not change.signal or self._deaths >= KEEPER_DEATHS:
            raise BrokenRun(
                f"the keeper of the run in {self.opened.directory.path} {how}; what it has said "
                "on stderr tells why"
            )
        print(f"scoop-ft: the keeper {how}; started again", file=sys.stderr, flush=True)
        self._start_keeper(again=False)

    def leave(self, *, at_once: bool) -> None:
        """End the run, or break it off: then it can be opened again."""
        try:
            if at_once:
                self._signal(signal.SIGINT)
            elif self.server.broken is None:
                with self.link.state:
                    self.session.keep(End(self.session.number(), 0))
                self.link.wait(self._is_ended)
            self._wait_for_keeper()
        finally:
            self._children.kill_all()
            self._wait_for_keeper()
            self._clean_up()

    def _is_ended(self) -> bool:
        self.look()
        return self.session.all_acknowledged() or not self._children.alive

    def _signal(self, number: int) -> None:
        for child in self._children.alive.values():
            child.signal(number)

    def _wait_for_keeper(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._children.alive and time.monotonic() < deadline:
            self._children.changes()
            time.sleep(0.005)

    def _clean_up(self) -> None:
        opened = self.opened
        opened.directory.drop_endpoint()
        opened.lock.release()
        if opened.temporary:
            shutil.rmtree(opened.directory.path, ignore_errors=True)
        _release()

    def forked(self) -> None:
        """Let the lifeline and the lock be the parent's alone."""
        for child in list(self._children.alive.values()):
            _close_quietly(child)
        self.opened.lock.release()


class JoinedRun(Root):
    """A run that somebody else keeps."""

    def __init__(self, where: str, keys: str | None) -> None:
        from ..launch.standalone import _furnish
        from ..rundir import locate

        self._home: RunDir | None = None
        if where.startswith(("tcp://", "ipc://")):
            directory = self._home = RunDir(tempfile.mkdtemp(prefix="scoop-ft-root-"))
            _furnish(directory, where, keys)
        else:
            directory = locate(where)
        directory.endpoint()  # or say that it has none
        self._where = where
        info = directory.info()
        super().__init__(Connection(directory.endpoint, directory.client_keys), info.seed)

    def start(self) -> None:
        """Take the run over, if it has no other root."""
        try:
            super().start()
        except BaseException:
            self.end(at_once=True)
            self.server.join()
            raise

    def check(self) -> None:
        """Is there a broker, and no other root?"""
        deadline = time.monotonic() + OTHER_ROOT_S
        while other := self._other_root():
            if time.monotonic() > deadline:
                raise RunError(
                    f"the run at {self._where} has a root already ({other}): one program at a "
                    "time; wait for its end"
                )
            self._ask_again()
        theirs = self.session.settings.get("script", "")
        if script.path() is not None and script.path() != theirs:
            raise RunError(
                "this process has an Executor of its own: shut that down before joining a run"
            )

    def _other_root(self) -> str:
        """Return who else is the root; one that has just left may still seem to be there."""
        if not self.link.wait(lambda: self.session.welcomed, WELCOME_S):
            raise RunError(f"no broker answers at {self._where}: is the run alive?")
        return str(self.session.settings.get("root", ""))

    def _ask_again(self) -> None:
        time.sleep(ASK_AGAIN_S)
        with self.link.state:
            self.session.welcomed = False
            self.session.reconnect = True
        self.link.wake()

    def look(self) -> None:
        """Nothing here is ours to look after."""

    def leave(self, *, at_once: bool) -> None:
        """Wait until all that was said is synced; the run goes on without us."""
        try:
            if not at_once and self.server.broken is None:
                self.link.wait(self.session.all_acknowledged)
        finally:
            if self._home is not None:
                shutil.rmtree(self._home.path, ignore_errors=True)


# ---- the script of this process -----------------------------------------------------------------

_users = 0


def _adopt(path: str, args: Sequence[str]) -> None:
    """Let functions of the script go by name, if workers may import it."""
    global _users
    _users += 1
    if path and script.path() is None:
        script.adopt_root(path, args, int((psutil.Process().create_time() - CLOCKS_S) * 1e9))


def _release() -> None:
    global _users
    _users -= 1
    if _users == 0 and script.path() is not None:
        script.release_root()
        references.forget_script()


# ---- forks --------------------------------------------------------------------------------------


def _close_quietly(child: Child) -> None:
    try:
        os.close(child.line)
    except OSError:
        return  # the parent was just closing it


def _in_forked_child() -> None:
    for root in list(_alive):
        root.forked()
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
