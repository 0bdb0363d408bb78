"""This process as the root of a run: what a run of its own and one that was joined have in common.

Joins the client's session and link to the thread that serves the futures.  A run is left once, in
that thread.
"""

from __future__ import annotations

import os
import socket
import weakref
from abc import ABC, abstractmethod

from ..client import runtime as runtimes
from ..client.connection import Connection
from ..client.session import Session
from ..client.sources import Sources
from ..errors import BrokenRun
from ..root.versions import Versions
from .link import ServedLink, ServedRuntime
from .modules import Modules
from .serving import Server

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
        self.sources = Sources(self.session, self.link, may_change=True, anew=True)
        self.modules = Modules(self.sources)
        self._versions = Versions(self.sources)
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
        self._versions.start()
        self.modules.say_all()

    def tell_imports(self) -> None:
        """Tell the run what this program has imported since."""
        self.modules.look()

    def check(self) -> None:
        """May this process be the root?  Nothing that counts was said yet."""
        return

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
            self._versions.end()
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
        return


# ---- forks --------------------------------------------------------------------------------------


def living() -> list[Root]:
    """Return the runs of this process that have not been left."""
    return list(_alive)


def _in_forked_child() -> None:
    for root in list(_alive):
        root.forked()
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
