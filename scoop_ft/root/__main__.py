"""``python -m scoop_ft.root RUN_DIR [--again]``: runs the user's script as ``__main__``.

It submits and waits, and never runs a task, so no task can kill it.  When the script has ended the
broker is told its exit code, and this process ends only after that was synced.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from .. import streams
from . import ending

if TYPE_CHECKING:
    from ..client.link import Link
    from ..client.runtime import RootRuntime
    from ..client.sources import Sources
    from ..rundir import RunInfo

INTERRUPTED = 130
AGAIN = "--again"  # there was a root before, in this launch of the run


def main(argv: list[str] | None = None) -> NoReturn:
    """Run a script, and end this process with its exit code."""
    from ..lifeline import hold

    hold()
    _hear_interrupts()
    args = sys.argv[1:] if argv is None else argv
    from ..client.connection import Connection
    from ..client.handlers import Handlers
    from ..client.imports import OwnFinder
    from ..client.link import Link
    from ..client.runtime import RootRuntime, current, install
    from ..client.session import ROOM_BYTES, Session
    from ..client.sources import Sources
    from ..environment import installed_in_use
    from ..errors import BrokenRun, RunError
    from ..rundir import RunDir
    from .versions import Versions

    run = RunDir(args[0])
    info = run.info()
    session = Session(os.urandom(8), "root", socket.gethostname())
    session.seed = info.seed
    session.room.size = ROOM_BYTES
    link = Link(session, Connection(run.endpoint, run.client_keys), lambda: runtime.flush_open())
    runtime = RootRuntime(session, link)
    install(runtime)
    interrupts = _Interrupts(link)
    sources = Sources(session, link, may_change=True)
    link.start()
    try:
        if AGAIN in args or info.recorded_code:
            _catch_up(sources, info)
        OwnFinder(sources).install()
        Versions(sources, installed_in_use()).start()
        signal.signal(signal.SIGINT, interrupts.on_sigint)
        handlers = Handlers()
        handlers.install()
        code = _run_script(info, sources)
        interrupts.off()
        handlers.off()
        if current() is not runtime:
            streams.flush()
            os._exit(code)  # a child that the script has forked
        if code == INTERRUPTED and interrupts.seen:
            ending.leave_at_once(code)
        _end(runtime, link, code)
    except (BrokenRun, RunError) as error:
        print(f"scoop-ft: error: {error}", file=sys.stderr)
        ending.leave_at_once(1)
    ending.leave(code)


def _hear_interrupts() -> None:
    """Until the script begins there is nothing to be interrupted: it is the end.

    Who starts this process has blocked the signal, which an import could have swallowed.
    """
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(INTERRUPTED))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _catch_up(sources: Sources, info: RunInfo) -> None:
    """Run what is recorded: by the root before this one, or before the run was resumed."""
    from ..errors import RunError

    if not sources.catch_up() and info.recorded_code:
        raise RunError("the journal holds no code of the script: resume with --code-on-disk")


def _run_script(info: RunInfo, sources: Sources) -> int:
    """Run the script; return the exit code that Python would have given it."""
    from .. import global_random, profiling, script
    from ..errors import BrokenRun

    global_random.seed(info.seed)
    global_random.follow_numpy()
    if os.environ.get("SCOOP_FT_STDOUT") == "lines":
        streams.by_lines()
    code = 0
    try:
        with profiling.profiled("root"):
            script.run_root(info.script, info.args, sources.script)
    except SystemExit as stop:
        code = _exit_code(stop, shown=_shown_as_a_tasks(stop))
    except KeyboardInterrupt as interrupt:
        _shown_as_a_tasks(interrupt)
        code = INTERRUPTED
    except BrokenRun:
        raise  # there is nobody to tell the exit code
    except BaseException as error:  # noqa: BLE001 - as the interpreter does at the top
        _show(error)
        code = 1
    return code


def _exit_code(stop: SystemExit, *, shown: bool) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    if not shown:
        print(stop.code, file=sys.stderr)
    return 1


def _shown_as_a_tasks(error: BaseException) -> bool:
    """Show what ends a script without a word, if it was a task that has raised it.

    The script has not asked for its end then, and nobody would know why it came.
    """
    from ..errors import RemoteTraceback

    if not isinstance(error.__cause__, RemoteTraceback):
        return False
    _show(error)
    name = type(error).__name__
    print(f"scoop-ft: the script ends here: one of its tasks has raised {name}", file=sys.stderr)
    return True


def _show(error: BaseException) -> None:
    """Print an exception as Python does; what is no fault of the code behind it in one line."""
    from ..errors import BrokenRun, MissingMainGuard, RemoteTraceback, UnpicklableError

    if isinstance(error, (MissingMainGuard, BrokenRun)):
        print(f"scoop-ft: error: {error}", file=sys.stderr)
        return
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if isinstance(error, UnpicklableError) or isinstance(error.__cause__, RemoteTraceback):
        _end_at_users_line(trace)
    import traceback

    if not _told_to_hook(error.with_traceback(trace)):
        traceback.print_exception(type(error), error, trace)
    if isinstance(error, ModuleNotFoundError) and error.name == "scoop":
        print("scoop-ft: a script for SCOOP is started with --scoop: ", end="", file=sys.stderr)
        print("scoop-ft run --scoop SCRIPT", file=sys.stderr)


def _told_to_hook(error: BaseException) -> bool:
    """Let the script's own `sys.excepthook` have it; False: it has none, or that has failed."""
    if sys.excepthook is sys.__excepthook__:
        return False
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:  # noqa: BLE001 - the user's code
        import traceback

        traceback.print_exc()
        return False
    return True


def _end_at_users_line(trace: TracebackType | None) -> None:
    """Cut off our frames at the end: what went wrong there is in the script, or the remote text."""
    last = None
    while trace is not None:
        if not _is_ours(trace.tb_frame.f_code.co_filename):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


def _is_ours(path: str) -> bool:
    return os.path.abspath(path).startswith(os.path.dirname(os.path.dirname(__file__)))


def _end(runtime: RootRuntime, link: Link, code: int) -> None:
    """Tell the broker, and wait until that is synced."""
    from ..wire.messages import End

    session = runtime.session
    ending.join_threads()
    runtime.flush()
    link.wait(session.all_acknowledged)
    link.copy_all()
    ending.call_exit_functions()
    runtime.flush()
    with link.state:
        session.keep(End(session.number(), code))
    link.wait(session.all_acknowledged)


class _Interrupts:
    """Ctrl-C: raised in the script, never in the middle of our own bookkeeping."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._on = True
        self.seen = False

    def on_sigint(self, number: int, frame: Any) -> None:
        """Take a SIGINT (the terminal and the launcher may both send one)."""
        if not self._on or self.seen:
            return
        self.seen = True
        if not self._link.interrupt():
            raise KeyboardInterrupt

    def off(self) -> None:
        """The script has ended."""
        self._on = False


if __name__ == "__main__":
    main()
