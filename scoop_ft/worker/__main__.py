"""``python -m scoop_ft.worker RUN_DIR --session HEX --agent HEX --slate PATH``: a worker's process.

Connects, runs tasks, and leaves when the broker or its agent says so.  The user's script is
imported when the first task needs it.
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import math
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from .. import streams
from ..slate import LACKS, NO_IMPORT, OF_ITSELF, STALE, Slate

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..client.link import Link
    from ..client.sources import Sources
    from ..rundir import RunDir
    from .runner import Crew
    from .session import WorkerSession

SAVE_S: Final = 60.0  # whoever wants it to leave earlier kills it
LEAVE_S: Final = 0.8  # a worker that was told to leave has this long to hand over what is done


def main(argv: list[str] | None = None) -> int:
    """Work for a run; return the exit code."""
    from ..lifeline import hold

    hold()
    options = _parse(argv)
    faulthandler.enable(all_threads=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides what Ctrl-C means
    if os.environ.get("SCOOP_FT_STDOUT") == "lines":
        streams.by_lines()
    from .. import resources
    from ..client.connection import Connection
    from ..client.handlers import First, Handlers
    from ..client.imports import OwnFinder
    from ..client.link import Link
    from ..client.runtime import install
    from ..client.session import ROOM_BYTES
    from ..client.sources import Sources
    from ..rundir import RunDir, read_keys
    from .runtime import WorkerRuntime
    from .session import WorkerSession
    from .stuck import Stuck

    run = RunDir(options.run_dir)
    session = WorkerSession(
        bytes.fromhex(options.session), socket.gethostname(), bytes.fromhex(options.agent)
    )
    session.resources = resources.parse(options.resources)
    session.room.size = ROOM_BYTES
    connection = Connection(
        (lambda: options.endpoint) if options.endpoint else run.endpoint,
        (lambda: read_keys(options.key)) if options.key else run.client_keys,
    )
    link = Link(session, connection, session.flush)
    slate = Slate.open(options.slate)
    crew = _crew(session, link, slate)
    install(WorkerRuntime(session, link, crew))
    exit_ = _Exit(session, link, crew, slate)
    sources = Sources(session, link, may_change=False)
    sources.on_stale = exit_.on_stale
    if options.elsewhere:
        crew.calls.on_unfit = functools.partial(exit_.on_unfit, run)
        crew.calls.host = session.host
    signal.signal(signal.SIGTERM, exit_.on_sigterm)
    _mind_forks(crew)
    Handlers(crew.at_work, {signal.SIGTERM: First(slate.is_unwanted, exit_.on_sigterm)}).install()
    exit_.meanwhile = Stuck(crew).look
    link.after_pump = exit_.look
    link.start()
    _join(session, link)
    slate.ready()
    _prepare_script(session.settings, sources)
    OwnFinder(sources).install()
    crew.run()
    exit_.leave()
    return 0


def _join(session: WorkerSession, link: Link) -> None:
    """Wait for the broker; one that does not want this process says why in a line."""
    from ..errors import BrokenRun

    try:
        link.wait(lambda: session.welcomed)
    except BrokenRun:
        sys.exit(f"scoop-ft: a worker ends: {session.ended}")


def _crew(session: WorkerSession, link: Link, slate: Slate) -> Crew:
    from .. import profiling
    from .runner import Crew

    if not profiling.is_wanted():
        return Crew(session, link, slate)
    from .profiled import ProfiledCrew

    return ProfiledCrew(session, link, slate)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scoop_ft.worker")
    parser.add_argument("run_dir")
    parser.add_argument("--session", required=True)
    parser.add_argument("--agent", default="")
    parser.add_argument("--slate", required=True)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--resources", default="")
    parser.add_argument("--elsewhere", action="store_true")
    return parser.parse_args(argv)


def _prepare_script(settings: dict[str, Any], sources: Sources) -> None:
    from .. import script
    from . import children

    script.find_modules_in(settings.get("import_path", []))
    if settings.get("script"):
        script.prepare_worker(settings["script"], settings.get("args", []), sources.script)
        children.install()


def _mind_forks(crew: Crew) -> None:
    """What a task forks is an ordinary process, which signals end, and runs no tasks.

    Signals wait while it is made: it must not meet one with our handlers.
    """
    if not hasattr(os, "register_at_fork"):
        return
    signals = {signal.SIGTERM, signal.SIGINT}

    def in_child() -> None:
        crew.forked = True
        if crew.active is not None:
            crew.active.tray = None  # what the child returns is no result
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signals),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals),
        after_in_child=in_child,
    )


class _Exit:
    """Leaves once, from whichever thread notices first that it is time.

    Until then ``meanwhile`` is called while the main thread computes.
    """

    def __init__(self, session: WorkerSession, link: Link, crew: Crew, slate: Slate) -> None:
        self._slate = slate
        self._session = session
        self._link = link
        self._crew = crew
        self._once = threading.Lock()
        self._why = OF_ITSELF
        self.meanwhile: Callable[[], None] = lambda: None
        self._request = 0  # whose answer shows that our last words were heard

    def on_sigterm(self, number: int, frame: Any) -> None:
        """The agent wants this worker to leave.

        A signal handler: it only takes note, and no lock that the main thread may hold just now.
        """
        self._crew.retiring = False
        self._crew.leaving = True
        self._link.wake()

    def on_stale(self) -> None:
        """The run has another version of what this process has imported."""
        if not self._crew.leaving:
            self._why = STALE  # the agent says it
        self._crew.retiring = False
        self._crew.leaving = True
        self._link.wake()

    def on_unfit(self, run: RunDir, error: ImportError) -> None:
        """An import has failed: leave, if it is this machine that lacks something."""
        from ..errors import ScriptImportError
        from .lack import of_this_machine

        reason = of_this_machine(error, run, self._session.settings.get("script", ""))
        if not reason:
            return
        details = f"{error}\n" if isinstance(error, ScriptImportError) else ""
        print(f"{details}scoop-ft: {reason}", file=sys.stderr, flush=True)
        self._why = LACKS
        if isinstance(error, ScriptImportError):
            self._why = NO_IMPORT
            with self._link.state:
                self._session.hand_back_all()
        self._slate.pause()
        self.leave()

    def look(self) -> None:
        """After each look at the socket: is it time?  (The main thread may be in a long task.)"""
        if threading.current_thread() is threading.main_thread():
            return
        if self._crew.leaving or self._session.ended:
            self.leave()
        self.meanwhile()

    def leave(self) -> None:
        """Hand over what is done and what has not started, then end this process."""
        if not self._once.acquire(blocking=False):
            time.sleep(2 * LEAVE_S)  # the other thread ends us meanwhile
        from .. import open_files, profiling

        self._link.after_pump = None  # our own looks at the socket come here no more
        if self._session.refused:
            print(f"scoop-ft: a worker ends: {self._session.refused}", file=sys.stderr)
        self._let_save()
        began = time.monotonic()
        if not self._session.ended:
            with self._link.state:
                self._request = self._session.leave()
            while not self._was_heard() and time.monotonic() - began < self._limit():
                self._link.pump(0.05)
        profiling.save("worker")
        open_files.write()
        self._slate.leave(self._why)
        # Tasks that still run, their threads and their waiting parents end here, unasked.
        os._exit(0)

    def _was_heard(self) -> bool:
        """Has the broker all that we have said, the last words too?"""
        with self._link.state:
            if self._request and self._session.answer(self._request) is not None:
                self._request = 0
            return not self._request and self._session.all_acknowledged()

    def _limit(self) -> float:
        """For so long it is worth waiting: a saved state may be hours of work.

        Who only makes room for another waits until all it has done is recorded.
        """
        if self._crew.retiring:
            return math.inf
        with self._link.state:
            return SAVE_S if self._session.is_saving() else LEAVE_S

    def _let_save(self) -> None:
        """A task that saves its state from time to time does so once more, now."""
        if not self._crew.may_save():
            return
        with self._link.state:
            self._session.hand_back()
        deadline = time.monotonic() + SAVE_S
        while self._crew.may_save() and not self._session.ended and time.monotonic() < deadline:
            self._link.pump(0.02)


if __name__ == "__main__":
    sys.exit(main())
