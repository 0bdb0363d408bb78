"""A worker's session: spans in, results out, recalls and drops, and what is told of its own tasks.

Children of a task that runs here are told to the broker at the next flush only, marked as claimed;
those that begin and end within their parent's life before that never leave this process.  Messages
in, messages out; no socket, no clock, no thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..client.groups import Single
from ..client.scopes import Definition, Scope
from ..client.session import HANDLERS, Frames, Receipt, Session
from ..ids import split_task_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from ..wire.messages import PLAIN
from . import reports
from .functions import Functions
from .spans import Done, Piece, Queue, Span
from .tray import Tray

OWED_BYTES = 32 << 20  # with more that the broker has not synced no further task is begun


class WorkerSession(Session):
    """What a worker has and owes.

    Attributes
    ----------
    queue : Queue
        Tasks not begun.
    functions : Functions
        What its tasks call.
    running : dict
        Spans and indices of the tasks that have begun and not ended, by task id.
    idle : bool
        Nothing could be run; said once to the broker.
    resources : dict
        What it has for tasks that ask for it.
    on_flush : callable or None
        Called before what has ended is reported.
    on_abandon : callable
        Told the ids of running tasks that nobody wants from this worker any more, and whether
        from any.
    """

    def __init__(self, session: bytes, host: str, agent: bytes) -> None:
        super().__init__(session, "worker", host, agent)
        self.queue = Queue()
        self.functions = Functions()
        self.running: dict[bytes, tuple[Span, int]] = {}
        self.idle = False
        self.resources: dict[str, int] = {}
        self.on_flush: Callable[[], None] | None = None
        self.on_abandon: Callable[[list[wire.SpanRef], bool], None] = lambda spans, cancelled: None
        self._idle_said = False
        self._runs = 0
        self._open: dict[bytes, Scope] = {}
        self._unflushed: list[Span] = []
        self._finished: dict[int, Span] = {}
        self._trays: list[Tray] = []  # with results that were not sent, or on which some come
        self._told: list[wire.SpanRef] = []  # what the last hello said
        # By parent, told children whose end it has not said: they go with the parent's own result.
        self._silent: dict[bytes, list[wire.SpanRef]] = {}
        self._held: list[wire.SpanRef] = []  # when the broker welcomed this session
        # By task, the last number and request of an attempt that was given up.
        self._abandoned: dict[bytes, tuple[int, int]] = {}

    def may_begin(self) -> bool:
        """Is there a task to begin, and room for its result?"""
        return len(self.queue) > 0 and self.unacknowledged_bytes < OWED_BYTES

    def _forget_spare(self) -> None:
        """Forget functions that neither the broker counts on nor a task here is a call of."""
        if self.functions.may_have_spare():
            needed = self.queue.functions()
            for span, _ in list(self.running.values()):
                needed.update(span.functions)
            self.queue.forget(self.functions.forget_all_but(needed))

    # ---- own tasks' children ---------------------------------------------------------------

    def opened(self, scope: Scope) -> None:
        """A parent has a call in its open batch."""
        if scope.alive:  # else it may run here again
            self._open[scope.task] = scope

    def close(self, scope: Scope) -> None:
        """End a parent's open batch: its tasks can be run now."""
        closed = scope.close()
        self._open.pop(scope.task, None)
        if closed is None:
            return
        batch = self.new_batch()
        if closed.options is not PLAIN and scope.alive:
            self.flush()  # the broker gives these out: it must know all that was before them
            self.submit(closed, batch)
            return
        if scope.replayed or not scope.alive:
            if scope.alive:
                self.submit(closed, batch)
            return
        for function in closed.functions:
            self.functions.add(function.digest, function.name, function.blob)
        span = Span.from_closed(closed, batch)
        self._unflushed.append(span)
        self.queue.push_children(span)
        self._forget_spare()

    def finish(self, span: Span, done: Done) -> None:
        """A task has ended."""
        span.done.append(done)
        self._finished[id(span)] = span
        if span.group is not None:
            index, status, payload, buffers = done
            span.group.put(index, index + 1, Single(status, payload, buffers), 0)
            if span.group.missing == 0 and span.scope is not None:
                span.scope.settle(span.group)

    def lay(self, piece: Piece) -> Tray:
        """Return where the results of a piece's tasks may lie, from the next one on."""
        if not (self._trays and self._trays[-1].goes_on(piece)):
            self._trays.append(Tray(piece))
        return self._trays[-1]

    def end(self, scope: Scope, *, abandoned: bool = False) -> None:
        """A parent has ended: nobody wants its other children.

        One that was abandoned is run elsewhere: there they are wanted.
        """
        if not scope.alive:
            return  # it was dropped before it had ended
        scope.alive = False
        scope.abandoned = abandoned
        if abandoned:
            self._abandoned[scope.task] = self._n, self._requests
        self.room.waits -= scope.called_for
        scope.called_for = 0
        for known in (self.scopes, self._open):
            if known.get(scope.task) is scope:  # else it is run here again
                del known[scope.task]
        if scope.waits_for():
            dropped = self.queue.drop_unwanted()
            back = [(s.batch, a, b) for s, a, b in dropped if s.scope is scope and s.closed is None]
            if abandoned and back:
                self.say(wire.Returned(0, back))
            elif back:
                self._silent.setdefault(scope.task, []).extend(back)

    def defined_for(self, scope: Scope, function: Definition) -> dict[bytes, bytes]:
        """Return what was sent, small functions for all parents.

        The others leave with the parent that calls them, or with its state.
        """
        small = len(function.blob) <= wire.SMALL_BYTES
        return self._defined if small else scope.defined

    def saved(self, message: wire.Checkpoint, frames: Frames, receipt: Receipt) -> None:
        """Say a parent's state."""
        super().saved(message, frames, receipt)
        scope = self.scopes.get(message.parent)
        if scope is not None:
            scope.defined.clear()

    def _forget_defined(self) -> None:
        super()._forget_defined()
        for scope in list(self.scopes.values()):
            scope.defined.clear()

    def give_up(self, span: Span, index: int, dropped_on: int) -> None:
        """A task was abandoned, since the broker had said so on a connection.

        On a later one this process may have said before that it holds the task.
        """
        if dropped_on != self.connections and span.closed is None:
            self.say(wire.Returned(0, [(span.batch, index, index + 1)]))

    # ---- flushing --------------------------------------------------------------------------

    def flush(self) -> None:
        """Turn what was submitted and finished into messages."""
        if self._open:
            for scope in list(self._open.values()):
                if scope.lock.acquire(blocking=False):  # else a call is just being packed
                    try:
                        self.close(scope)
                    finally:
                        scope.lock.release()
        unflushed, self._unflushed = self._unflushed, []
        for span in unflushed:
            self._tell(span)
        if self.on_flush is not None:
            self.on_flush()
        for tray in self._trays:
            found = tray.take()
            if found is not None:
                self.keep(*reports.of_tray(tray.span, *found, self.number()))
        self._trays = [tray for tray in self._trays if tray.piece is not None]
        finished, self._finished = self._finished, {}
        for span in finished.values():
            if span.done and span.is_reported():
                for message, frames in reports.of_ended(span, self.number):
                    self.keep(message, frames)
            else:
                self._keep_silent(span)
        if self.idle and self.welcomed and not self._idle_said:
            self._idle_said = True
            self.say(wire.Idle(self._runs))

    def _keep_silent(self, span: Span) -> None:
        """The parent of these has ended: nobody wants their results, nor need run them again."""
        if span.scope is not None and span.closed is None:
            silent = self._silent.setdefault(span.scope.task, [])
            silent += [(span.batch, index, index + 1) for index, _, _, _ in span.done]
        span.done.clear()

    def _tell(self, span: Span) -> None:
        """Tell the broker of a batch that this worker runs itself."""
        closed = span.closed
        if closed is not None and span.wanted():
            span.closed = None
            self._idle_said = False  # the broker takes who claims tasks to be busy
            self.submit(closed, span.batch, [(0, closed.group.count)])

    # ---- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        """A new connection begins."""
        self._forget_abandoned()
        super().connect()
        self.functions.give_all_back()  # they are sent again on each connection
        self._runs = 0
        self._idle_said = False

    def _forget_abandoned(self) -> None:
        """What was said in the name of an attempt that was given up is not said again.

        The next attempt may be given to this very worker: it would be taken for that one's.
        """
        if not self._abandoned:
            return
        last, never = self._abandoned, (0, 0)
        kept = [
            each
            for each in self._unacknowledged
            if each.n > last.get(getattr(each.message, "parent", b""), never)[0]
        ]
        self._unacknowledged = deque(kept)
        self.unacknowledged_bytes = sum(each.size for each in kept)
        self._asked = {
            k: m
            for k, m in self._asked.items()
            if k > last.get(getattr(m, "parent", b""), never)[1]
        }
        self._abandoned = {}

    def hello(self) -> wire.Hello:
        """Return who we are, and what we hold when it is written; it may be read much later."""
        hello = super().hello()
        self._told = hello.holding
        return msgspec.structs.replace(hello, resources=self.resources)

    def _unacknowledged_from(self) -> dict[bytes, int]:
        """Of what nobody was told yet, too."""
        until = super()._unacknowledged_from()
        for span in self._unflushed:
            if span.scope is not None and span.closed is not None:
                task = span.scope.task
                until[task] = min(until.get(task, span.ordinal), span.ordinal)
        return until

    def _on_welcome(self, m: wire.Welcome, frames: Sequence[Buffer]) -> None:
        if not self.welcomed:
            self._forget_abandoned()
            self._held = self.holding()  # before what is kept is put in order anew
        super()._on_welcome(m, frames)
        told, self._told = self._told, []
        held = {(batch, i) for batch, a, z in self._held for i in range(a, z)}
        gone = [
            (batch, i, i + 1) for batch, a, z in told for i in range(a, z) if (batch, i) not in held
        ]
        if gone:
            self.say(wire.Returned(0, gone))

    def is_recorded(self, scope: Scope) -> bool:
        """Does the broker know this parent?  Not while its batch was not told."""
        found = self.running.get(scope.task)
        return found is not None and found[0].closed is None

    def holding(self) -> list[wire.SpanRef]:
        """Return the tasks that nobody else need run, those nobody was told of left out.

        They have not ended, or their results may not have come.
        """
        # The main thread goes on meanwhile: what it begins leaves the queue for where we look next,
        # and what ends stays where it was found.  So a task may be found twice, and none is missed.
        held = [(s.batch, a, b) for s, a, b in self.queue.spans() if s.closed is None]
        held += [
            (span.batch, index, index + 1)
            for span, index in list(self.running.values())  # the main thread goes on
            if span.closed is None
        ]
        held += [(tray.span.batch, *tray.held()) for tray in self._trays]
        held += [
            (span.batch, index, index + 1)
            for span in self._finished.values()
            if span.closed is None
            for index, _, _, _ in span.done
        ]
        held += [
            (message.batch, start, stop)
            for _, message, _, _, _ in self._unacknowledged
            if type(message) is wire.Results
            for start, stop in message.ranges
        ]
        self._forget_silent(held)
        held += [each for silent in self._silent.values() for each in silent]
        of_batch: dict[bytes, list[wire.Range]] = {}
        for batch, start, stop in held:
            if start < stop:
                of_batch.setdefault(batch, []).append((start, stop))
        return [(batch, *each) for batch, ranges in of_batch.items() for each in _merged(ranges)]

    def _forget_silent(self, held: Sequence[wire.SpanRef]) -> None:
        """A parent's result is recorded, or it is another's: its children are nobody's business.

        Such a parent may itself have ended silently, with its own.
        """
        parents: dict[bytes, list[tuple[int, bytes]]] = {}  # by batch: there may be thousands
        for task in self._silent:
            name, index = split_task_id(task)
            parents.setdefault(name, []).append((index, task))
        kept: dict[bytes, list[wire.SpanRef]] = {}
        reached = list(held)
        while reached:
            name, start, stop = reached.pop()
            for index, task in parents.get(name, ()):
                if start <= index < stop and task not in kept:
                    kept[task] = self._silent[task]
                    reached += kept[task]
        self._silent = kept

    def again(self, message: Any) -> Any:
        """Return a message as it is to be said to another broker."""
        if type(message) is not wire.Submit or not message.claimed:
            return message
        # What has ended is claimed until its results have followed, all of it where its parent has:
        # somebody else would be given it between the two.  Some may have been handed back since.
        if message.parent not in self.running:
            return message
        held = [(a, z) for batch, a, z in self._held if batch == message.batch]
        return msgspec.structs.replace(message, claimed=_merged(held))

    def hand_back(self) -> None:
        """Give up what has not started."""
        self.flush()
        spans = [(s.batch, a, b) for s, a, b in self.queue.spans()]
        self.queue = Queue()
        self.say(wire.Returned(0, spans))

    def hand_back_all(self) -> None:
        """Give up all there is: what tasks are made of could not be imported, so none has begun."""
        spans = self.holding()
        self.queue = Queue()
        self.running.clear()
        self.say(wire.Returned(0, spans))

    def is_saving(self) -> bool:
        """Is there a state of a task that the broker has not synced?"""
        return any(type(each.message) is wire.Checkpoint for each in self._unacknowledged)

    def leave(self) -> int:
        """Hand back what has not started, and say good-bye.

        Returns the number of a request: there is an answer once all of that was heard.
        """
        self.hand_back()
        self.say(wire.Leaving())
        return self.ask(lambda request: wire.AskSource(request, ""))

    def ask(self, make: Callable[[int], wire.Message]) -> int:
        """Send a request, after the batches it may be about."""
        self.flush()
        return super().ask(make)

    def must_say(self) -> bool:
        """Is there something to be said now?  Nobody waits for the answer to a plain `Drop`."""
        return self.reconnect or not all(
            type(message) is wire.Returned and message.drop for message, _ in self.outbox
        )

    # ---- hearing ---------------------------------------------------------------------------

    def handlers(self) -> dict[type, Callable[[Any, Any, Sequence[Buffer]], None]]:
        """Return what to do on which message."""
        return WORKER_HANDLERS

    def _on_ack(self, m: wire.Ack, frames: Sequence[Buffer]) -> None:
        super()._on_ack(m, frames)
        if self.all_acknowledged() and not self._asked:
            self._abandoned.clear()
        if self._silent:
            self._forget_silent(self.holding())

    def _on_run(self, m: wire.Run, frames: Sequence[Buffer]) -> None:
        self._runs += 1
        self.idle = self._idle_said = False
        self.queue.push(Span.from_run(m, frames))

    def _on_function(self, m: wire.Function, frames: Sequence[Buffer]) -> None:
        self.functions.lend(m.digest, m.name, bytes(frames[0]))

    def _on_forget(self, m: wire.Forget, frames: Sequence[Buffer]) -> None:
        self.functions.give_back(m.functions)
        self._forget_spare()

    def _on_recall(self, m: wire.Recall, frames: Sequence[Buffer]) -> None:
        self.flush()
        spans = []
        for span, start, stop in self.queue.recall():
            spans.append((span.batch, start, stop))
        self.say(wire.Returned(m.recall, spans))

    def _on_drop(self, m: wire.Drop, frames: Sequence[Buffer]) -> None:
        taken: list[wire.SpanRef] = []
        for batch, start, stop in m.spans:
            taken += self.queue.drop(batch, start, stop, claimed=not m.recall)
        self.say(wire.Returned(m.recall, taken, not m.recall))
        if not m.recall:
            self.on_abandon(m.spans, m.cancelled)


def _merged(ranges: list[wire.Range]) -> list[wire.Range]:
    """Return the same indices as growing ranges."""
    merged: list[wire.Range] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


WORKER_HANDLERS: dict[type, Callable[[Any, Any, Sequence[Buffer]], None]] = {
    **HANDLERS,
    wire.Welcome: WorkerSession._on_welcome,
    wire.Ack: WorkerSession._on_ack,
    wire.Run: WorkerSession._on_run,
    wire.Function: WorkerSession._on_function,
    wire.Recall: WorkerSession._on_recall,
    wire.Drop: WorkerSession._on_drop,
    wire.Forget: WorkerSession._on_forget,
}
