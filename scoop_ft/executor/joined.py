"""A run that somebody else keeps, and that an executor joins as its root."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Final

from .. import script
from ..client.connection import Connection
from ..client.groups import as_ranges
from ..errors import RunError
from ..launch.lock import RunLock, is_locked
from ..rundir import RunDir
from .left_behind import ROOT, mark, new_folder
from .run import Root

WELCOME_S: Final = 10.0  # for the broker
OTHER_ROOT_S: Final = 1.0  # for one that has left to be found out
ASK_AGAIN_S: Final = 0.1
LEAVE_S: Final = 3.0  # for the broker's answer, when we leave at once
SILENT_S: Final = 3.0  # without a broker for so long: a word about it


class JoinedRun(Root):
    """A run that somebody else keeps."""

    def __init__(self, where: str, keys: str | None) -> None:
        from ..launch.address import locate
        from ..launch.welcome import furnish

        self._home: RunDir | None = None
        if where.startswith(("tcp://", "ipc://")):
            directory = self._home = new_folder(ROOT)
            self._lock = RunLock(directory)
            self._lock.acquire()
            mark(directory)
            try:
                if keys is None and where.startswith("tcp://"):
                    raise RunError(
                        f"{where} needs keys=DIR: a private copy of the run directory's folder keys"
                    )
                furnish(directory, where, keys, WELCOME_S)
            except BaseException:
                self._leave_home()
                raise
        else:
            directory = locate(where)
        directory.endpoint()  # or say that it has none
        self._where, self._directory = where, directory
        self._answered_at = time.monotonic()
        self._told = False  # that no broker answers
        self._joined = False
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
        self._joined = True

    def _other_root(self) -> str:
        """Return who else is the root; one that has just left may still seem to be there."""
        if not self.link.wait(lambda: self.session.welcomed, WELCOME_S):
            raise RunError(self._nobody())
        return str(self.session.settings.get("root", ""))

    def _nobody(self) -> str:
        """Say that no broker answers, and what to do about it."""
        if self._home is None and not is_locked(self._directory):
            run = self._directory.called
            again = "resume" if self._directory.info().script else "serve"
            return f"nobody serves the run {run} now: start it with 'scoop-ft {again} {run}'"
        return f"no broker answers at {self._where}: is the run alive?"

    def _ask_again(self) -> None:
        time.sleep(ASK_AGAIN_S)
        with self.link.state:
            self.session.welcomed = False
            self.session.reconnect = True
        self.link.wake()

    def look(self) -> None:
        """Nothing here is ours to look after, but nobody shall wait for a broker without a word."""
        now = time.monotonic()
        if self.session.welcomed:
            if self._told:
                _say(f"the broker at {self._where} is there again")
            self._answered_at, self._told = now, False
        elif self._joined and not self._told and now - self._answered_at > SILENT_S:
            self._told = True
            _say(f"no broker answers at {self._where}: all waits until it is served again")

    def end(self, *, at_once: bool) -> None:
        """End when nothing is waited for; ``at_once``: what is not done holds no other program."""
        if at_once and self.session.welcomed:
            self.server.cancel(as_ranges(self.server.unfinished()), subtree=True, timeout_s=LEAVE_S)
        super().end(at_once=at_once)

    def leave(self, *, at_once: bool) -> None:
        """Wait until all that was said is synced; the run goes on without us."""
        try:
            if not at_once and self.server.broken is None:
                self.link.wait(self._is_synced)
        finally:
            self._leave_home()

    def _is_synced(self) -> bool:
        self.look()  # without a broker it is waited for, not without a word
        return self.session.all_acknowledged()

    def _leave_home(self) -> None:
        if self._home is not None:
            shutil.rmtree(self._home.path, ignore_errors=True)
            self._lock.release()


def _say(text: str) -> None:
    print(f"scoop-ft: {text}", file=sys.stderr, flush=True)
