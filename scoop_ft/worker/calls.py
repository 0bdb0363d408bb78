"""Runs the tasks of a piece, and ends them: what a runner does while it has the thread.

Most tasks only return something.  Nothing is locked, looked up, switched or told for each of those:
their results lie on the runner's `Tray`.  One that submits, waits, raises, has a time limit or is
given up is ended by itself.  Who waits, and who gets the thread next, is decided in `runner`.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .. import script, streams
from ..client.handlers import whole
from ..columns import KINDS
from ..errors import ScriptImportError
from ..ids import lineage, task_id
from ..payload import dump_result, load
from ..pickling import load_small
from ..raised import dump_exception
from ..slate import DEADLINE, DONE, INDEX, Slate
from ..wire.messages import Status
from . import apart
from .limits import Overdue
from .spans import Done, Piece, Span
from .tray import TRAY_BYTES

if TYPE_CHECKING:
    from .runner import Crew, Runner

LARGE: Final = 1 << 64  # an integer that is larger is packed at once, for its size
_OF_THE_SCRIPT: Final = re.compile(rf"^([ |+]*){script.WORKER_NAME}\.", re.MULTILINE)  # classes
PIECE_NS: Final = 10_000_000  # what was claimed for its cost, and costs more, is given back


class Abandoned(BaseException):
    """Thrown into a task that nobody wants any more."""


class Calls:
    """Runs tasks for a crew's runners.

    Attributes
    ----------
    imported : bool
        The script was imported: what tasks are made of can be unpickled.
    on_unfit : callable or None
        Called when something cannot be imported on this machine, which is not the root's.  Where
        it is the machine's fault, and no task's, it does not return.
    plain : bool
        Tasks that only return something may go by without a word of each.
    """

    plain = True

    def __init__(self, crew: Crew, slate: Slate) -> None:
        self.imported = False
        self.on_unfit: Callable[[ImportError], None] | None = None
        self.host = ""
        self._crew = crew
        self._session = crew.session
        self._link = crew.link
        self._slate = slate
        self._words = slate.words

    def run(self, runner: Runner, piece: Piece) -> None:
        """Run a piece, up to its end or until the thread is wanted elsewhere."""
        crew, session, span = self._crew, self._session, piece.span
        began, tasks = time.perf_counter_ns(), 0
        until = began + PIECE_NS
        runner.waited = False
        runner.span = span
        runner.place = apart.place()
        if session.seeded:
            crew.take_globals(runner)
        plain = self.plain and span.group is None and not (session.seeded or span.time_limit_s)
        self._slate.start(span.batch, piece.next)
        while piece.next < piece.stop:
            ran = 1
            if plain and self.imported:
                ran = self._run_plain(runner, piece, until)
            else:
                self._run_one(runner, piece)
            self._words[DONE] += ran
            tasks += ran
            late = time.perf_counter_ns() > until
            if (crew.ready or late) and piece.next < piece.stop:
                with self._link.state:  # where it can be recalled
                    session.queue.give_back(piece)
        if not runner.waited:
            with self._link.state:
                session.queue.timed(span, tasks, time.perf_counter_ns() - began)
        self._slate.pause()

    def _run_plain(self, runner: Runner, piece: Piece, until_ns: int) -> int:
        """Run tasks one behind the other, up to the first that does more; return how many."""
        crew, words, now = self._crew, self._words, time.perf_counter_ns
        span, begin = piece.span, piece.next
        with self._link.state:
            tray = runner.tray = self._session.lay(piece)
        pack, ends, buffers = tray.packer.pack, tray.packer.ends, tray.packer.buffers
        callables, is_shared = self._session.functions.load, self._session.functions.is_shared
        payload, starts, start = span.payload, span.starts, span.start
        loaded = span.numbers(begin, piece.stop)
        numbers = None if ends else tray.numbers  # until there is something else
        function, args = None, None  # type: Any, Any
        anew, modules = span.which is not None, len(sys.modules)
        while piece.next < piece.stop:
            index = runner.index = piece.next
            words[INDEX] = index
            piece.next = index + 1
            more, packed = None, False
            try:
                if loaded is not None:
                    args = next(loaded)
                elif span.buffers:
                    args = load(*span.arguments(index))
                else:
                    at = index - start
                    args = load_small(payload[starts[at] : starts[at + 1]])
                if function is None or anew:
                    name = span.function(index)
                    function = callables(name)
                    anew = span.which is not None or not is_shared(name)
                    if len(sys.modules) != modules:
                        modules = self._imported(modules)
                named = type(args) is list
                value = function(*args[0], **args[1]) if named else function(*args)
                if runner.tray is tray:
                    kind = type(value)
                    small = kind in KINDS and (kind is not int or -LARGE < value < LARGE)
                    if small and numbers is not None:
                        numbers.append(value)
                    else:
                        numbers = None
                        more, packed = pack(value), True
            except BaseException as error:  # noqa: BLE001 - whatever a task raises is its result
                self._end(runner, span, index, self._failure(span, index, error))
                break
            if more is not None or runner.tray is not tray:
                if more is None and packed:  # it was pickled as the tray was closed
                    last = tray.last()
                    done: Done = (index, 0, last.payload, last.frames)
                else:
                    done = self._result(span, index, value)
                self._end(runner, span, index, done)
                break
            if crew.ready or now() > until_ns or buffers or (ends and ends[-1] > TRAY_BYTES):
                break
            args = value = None  # what their end does is this task's doing
        if runner.tray is not None:
            with self._link.state:
                tray.close()
                runner.tray = None
        return piece.next - begin

    def _run_one(self, runner: Runner, piece: Piece) -> None:
        """Run a task of which more may be said than its result."""
        session, limits = self._session, self._crew.limits
        span, index = piece.span, piece.next
        runner.index = index
        session.running[task_id(span.batch, index)] = (span, index)
        self._words[INDEX] = index
        piece.next = index + 1
        try:
            if not self.imported:
                self._import_script()
            if span.time_limit_s:  # what the import took does not count
                limits.begin(runner, span.time_limit_s)
            modules = len(sys.modules)
            args = load(*span.arguments(index))
            function = session.functions.load(span.function(index))
            self._imported(modules)
            if session.seeded:  # only now: what was imported may have seeded, too
                self._crew.seed_for(lineage_of(span, index))
            named = type(args) is list
            value = function(*args[0], **args[1]) if named else function(*args)
            done = self._result(span, index, value)
        except BaseException as error:  # noqa: BLE001 - whatever a task raises is its result
            done = self._failure(span, index, error)
        self._end(runner, span, index, done)
        if span.time_limit_s:
            limits.end(runner)

    def _imported(self, modules: int) -> int:
        """Return how many modules there are; what new ones have set holds for all tasks."""
        if len(sys.modules) != modules:
            self._crew.keep_surroundings()
        return len(sys.modules)

    # ---- how they end --------------------------------------------------------------------------

    def _result(self, span: Span, index: int, value: Any) -> Done:
        """Return what a task has returned, by itself."""
        try:
            name = self._session.functions.name(span.function(index))
            payload, frames = dump_result(value, name)
        except BaseException as error:  # noqa: BLE001 - pickling runs user code
            return self._failure(span, index, error)
        return index, 0, payload, frames

    @whole
    def _failure(self, span: Span, index: int, error: BaseException) -> Done:
        """Return what a task has raised; status -1 when it is nobody's result."""
        if isinstance(error, Abandoned):
            return index, -1, b"", []
        if isinstance(error, Overdue):
            return index, int(Status.LOST), self._crew.limits.story(span, index), []
        if self._crew.forked:
            end_child(error)
        if self.on_unfit is not None and isinstance(error, ModuleNotFoundError):
            self._words[DEADLINE] = 0  # it has ended: what is asked now takes its time
            self.on_unfit(error)
        raised_on = f"Raised on {self.host}:\n" if self.host else ""
        payload, frames = dump_exception(error, raised_on + _trace(error))
        return index, int(Status.RAISED), payload, frames

    @whole
    def _end(self, runner: Runner, span: Span, index: int, done: Done) -> None:
        """A task has ended, and more is said of it than a result on the tray."""
        crew, session = self._crew, self._session
        if crew.forked:
            end_child(None)
        if runner.callbacks:
            crew.end_callbacks(runner)
        status = -1 if runner.cut_off else done[1]
        task = task_id(span.batch, index)
        with self._link.state:
            if runner.tray is not None:
                runner.tray.close()
                runner.tray = None
            if runner.scope is not None:
                if status > 0:
                    session.flush()  # tried again, it finds what its children have found
                session.end(runner.scope, abandoned=status < 0)
                crew.forget_parent(task, runner)
            if session.running.get(task) == (span, index):  # else it has begun here once more
                del session.running[task]
            if status < 0:
                session.give_up(span, index, runner.dropped_on)
            elif not (status and runner.told):
                session.finish(span, done)
            runner.cut_off = False

    def _import_script(self) -> None:
        """Import the script before anything of a task is unpickled.

        Pickles that make their classes anew (DEAP's do) must find them made by the script.
        """
        try:
            script.load_if_pending()
        except ScriptImportError as error:
            if self.on_unfit is not None:
                self.on_unfit(error)
            raise
        self.imported = True
        self._crew.keep_surroundings()
        self._slate.imported()


def lineage_of(span: Span, index: int) -> bytes:
    """Return a task's lineage."""
    return lineage(span.lineage, span.ordinal + index - span.start)


def _trace(error: BaseException) -> str:
    """Return the traceback as text, without our own frame, and with the names that users know."""
    trace = error.__traceback__
    if trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    import traceback

    try:
        text = traceback.format_exception(type(error), error, trace)
    except BaseException:  # noqa: BLE001 - its attributes may do anything when looked at
        text = [*traceback.format_tb(trace), f"{type(error).__name__}\n"]
    module = script.module_for_people(script.WORKER_NAME)
    return _OF_THE_SCRIPT.sub(lambda found: f"{found[1]}{module}.", "".join(text))


def end_child(error: BaseException | None) -> None:
    """End a process that a task has forked, and that has come to the task's end, as Python does."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        import traceback

        traceback.print_exception(error)
        code = 1
    streams.flush()
    os._exit(code & 0xFF)
