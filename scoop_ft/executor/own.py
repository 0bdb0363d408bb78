"""A run of an executor's own: its keeper is started here, watched, and ended.

The keeper (`launch.keeper`) does the rest: broker, workers, their deaths.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

import psutil

from .. import references, script
from ..client.connection import Connection
from ..errors import BrokenRun
from ..launch import commands, keeper
from ..launch.processes import Child, Children, Exited
from ..launch.wording import how_it_ended
from ..wire.messages import End
from .opening import Opened
from .run import Root

KEEPER_DEATHS: Final = 5  # in a row, each before the broker had answered
CLOCKS_S: Final = 2.0  # so far the clocks of processes and of files may be apart
PATIENCE_S: Final = 15.0  # for the keeper to end what it has started


class OwnRun(Root):
    """A run that lives as long as its executor, or until it is opened again."""

    def __init__(self, opened: Opened) -> None:
        directory = opened.directory
        super().__init__(Connection(directory.endpoint, directory.client_keys), opened.info.seed)
        self.opened = opened
        self.workers = opened.info.workers
        self._children = Children()
        self._deaths = 0
        self._was_up = False  # a broker has answered
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
        command = [sys.executable, *commands.safe_path(), "-m", keeper.__name__]
        command += [str(self.opened.directory.path), *more]
        environment = commands.environment(self.opened.info.seed, stdout_is_read=False)
        self._children.start(
            "keeper", command, environment, cwd=self.opened.info.cwd, stdout=None, stderr=None,
            interrupts_wait=True,  # it may be told to leave while it starts
        )  # fmt: skip

    def look(self) -> None:
        """Start the keeper again when somebody has killed it."""
        if self.session.welcomed:
            self._was_up, self._deaths = True, 0
        for change in self._children.changes():
            if isinstance(change, Exited):
                self._keeper_ended(change)

    def _keeper_ended(self, change: Exited) -> None:
        how = how_it_ended(change.code, change.signal)
        self._deaths += 1
        if not change.signal or self._deaths >= KEEPER_DEATHS:
            raise BrokenRun(
                f"the keeper of the run in {self.opened.directory.path} {how}; what it has said "
                "on stderr tells why"
            )
        print(f"scoop-ft: the keeper {how}; started again", file=sys.stderr, flush=True)
        self._start_keeper(again=self.opened.again and not self._was_up)

    def leave(self, *, at_once: bool) -> None:
        """End the run, or break it off: then it can be opened again."""
        try:
            if at_once or self.server.broken is not None:
                self._signal(signal.SIGINT)  # the keeper may live on when the broker broke it off
            else:
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


def _close_quietly(child: Child) -> None:
    try:
        os.close(child.line)
    except OSError:
        return  # the parent was just closing it


# ---- the script of this process -----------------------------------------------------------------

_users = 0
_adopted = False


def _adopt(path: str, args: Sequence[str]) -> None:
    """Let functions of the script go by name, if workers may import it."""
    global _users, _adopted
    _users += 1
    if path and script.path() is None:
        began_s = psutil.Process().create_time() - CLOCKS_S
        script.adopt_root(path, args, int(began_s * 1e9))
        _adopted = True


def _release() -> None:
    global _users, _adopted
    _users -= 1
    if _users == 0 and _adopted:
        _adopted = False
        script.release_root()
        references.forget_script()
