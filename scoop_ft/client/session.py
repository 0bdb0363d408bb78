"""The broker as its peer sees it: what was said and not yet acknowledged, who runs here.

Messages in, messages out through ``outbox``; no socket, no clock, no thread.  Root and workers
share it; `worker.session` adds what only workers do.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

import msgspec

from ..errors import BrokenRun
from ..ids import ROOT_ID, batch_id
from ..wire import messages as wire
from ..wire.frames import Buffer
from ..wire.messages import Status
from .groups import Chunk
from .handlers import whole
from .room import Room
from .scopes import Closed, Definition, Scope

Frames = Sequence[Buffer]
ROOM_BYTES = 32 << 20  # of a root and of workers: what is there, untaken, before the rest waits


class Receipt:
    """Tells whether something that was said is synced.

    Attributes
    ----------
    acknowledged : bool
    """

    __slots__ = ("acknowledged",)

    def __init__(self) -> None:
        self.acknowledged = False


class Unacknowledged(NamedTuple):
    """What was said and is to be said again until it is synced."""

    n: int
    message: Any
    frames: Frames
    size: int
    receipt: Receipt | None


class Session:
    """One process's session with the broker.

    Parameters
    ----------
    session : bytes
        8 bytes no other process has.
    role : str
        "root" or "worker".
    host : str
    agent : bytes
        The session of the agent that answers for this process (empty for none).

    Attributes
    ----------
    outbox : list of (message, frames)
        What is to be sent on the present connection, in order.
    scopes : dict
        The parents that run here, by task id.
    unacknowledged_bytes : int
        Payload kept until the broker has synced it.
    connections : int
        How many there have been, the present one included.
    room : Room
        For results that nobody has taken yet.
    ended : str
        Why this process is not wanted any more; empty while it is.
    refused : str
        What the broker has found wrong with a message of this process.
    """

    def __init__(self, session: bytes, role: str, host: str, agent: bytes = b"") -> None:
        self.session = session
        self.role = role
        self.host = host
        self.agent = agent
        self.outbox: list[tuple[wire.Message, Frames]] = []
        self.scopes: dict[bytes, Scope] = {}
        self.settings: dict[str, Any] = {}
        self.seed = 0  # of the run's random numbers
        self.seeded = False  # it was given: the global generators are seeded for each task
        self.consts: dict[str, tuple[Buffer, list[Buffer]]] = {}
        self.unacknowledged_bytes = 0
        self.ended = ""
        self.refused = ""
        self.welcomed = False
        self.reconnect = False  # the broker asked for a new connection
        self.on_event: Callable[[], None] = lambda: None  # an answer, a constant, a sync
        self.sources: dict[str, wire.SourceRef] = {}  # the user's code that is recorded
        self.on_sources: Callable[[list[wire.SourceRef]], None] = lambda sources: None
        self.on_function: Callable[[], None] = lambda: None  # one is about to be submitted
        self.connections = 0
        self._n = 0
        self._batches = 0
        self._unacknowledged: deque[Unacknowledged] = deque()
        # What the broker has passed on and may not have synced, with our last number then.
        self._unsynced: deque[tuple[int, wire.Deliver, Frames]] = deque()
        self._synced = 0
        self._defined: dict[bytes, bytes] = {}  # by digest, what each meant
        self._incarnation = 0  # of the broker that has welcomed us
        self.room = Room()
        self._answers: dict[int, Any] = {}
        self._asked: dict[int, Any] = {}  # what has no answer yet, by request
        # Of batches that may be in no journal, by name: what was given up of them.
        self._given_up: dict[bytes, list[wire.Cancel]] = {}
        self._requests = 0

    # ---- saying ----------------------------------------------------------------------------

    def say(self, message: wire.Message) -> None:
        """Say something that need not be kept."""
        if self.welcomed:
            self.outbox.append((message, ()))

    def number(self) -> int:
        """Return the number of the next message to be kept."""
        self._n += 1
        return self._n

    @whole
    def keep(self, message: Any, frames: Frames = (), receipt: Receipt | None = None) -> None:
        """Say something and keep it until it is acknowledged; its ``n`` comes from `number`."""
        size = sum(len(frame) for frame in frames)
        self.unacknowledged_bytes += size
        self._unacknowledged.append(Unacknowledged(message.n, message, frames, size, receipt))
        if self.welcomed:
            self.outbox.append((message, frames))

    def all_acknowledged(self) -> bool:
        """Is everything that was kept synced by the broker?"""
        return not self._unacknowledged

    def define(self, function: Definition, scope: Scope) -> None:
        """Send a function that a parent calls, unless the broker knows it, and what it means."""
        defined = self.defined_for(scope, function)
        if defined.get(function.digest) == function.code:
            return
        message = wire.Define(
            self.number(), function.digest, function.name, function.code, function.python,
            list(function.sources),
        )  # fmt: skip
        self.keep(message, (function.blob,))
        defined[function.digest] = function.code

    def defined_for(self, scope: Scope, function: Definition) -> dict[bytes, bytes]:
        """Return what was sent that such a call of this parent may count on: digest to meaning."""
        return self._defined

    def saved(self, message: wire.Checkpoint, frames: Frames, receipt: Receipt) -> None:
        """Say a parent's state.  What the script calls after it is sent anew: see `Forget`."""
        self.keep(message, frames, receipt)
        if message.parent == ROOT_ID:
            self._defined.clear()

    def new_batch(self) -> bytes:
        """Name a batch."""
        self._batches += 1
        return batch_id(self.session, self._batches)

    def last_batch(self) -> bytes:
        """Return the name of the last batch named here; empty when there is none."""
        return batch_id(self.session, self._batches) if self._batches else b""

    def submit(
        self, closed: Closed, batch: bytes, claimed: list[tuple[int, int]] | None = None
    ) -> None:
        """Send a batch."""
        for function in closed.functions:
            self.define(function, closed.scope)
        packed = closed.packed
        message = wire.Submit(
            n=self.number(),
            batch=batch,
            parent=closed.scope.task,
            lineage=closed.scope.lineage,
            first=closed.group.first,
            count=closed.group.count,
            functions=[function.digest for function in closed.functions],
            which=closed.which,
            ends=packed.ends,
            buffers=packed.buffers,
            claimed=claimed or [],
            ordered=closed.scope.ordered,
            options=closed.options,
        )
        self.keep(message, (packed.payload, *packed.frames))

    @whole
    def ask(self, make: Callable[[int], wire.Message]) -> int:
        """Send a request; `answer` gives what comes back under the number returned.

        It is said again on each new connection until the answer is there.
        """
        self._requests += 1
        message = self._asked[self._requests] = make(self._requests)
        self.say(message)
        return self._requests

    def answer(self, request: int) -> Any | None:
        """Return, once, the answer to a request; None when it has not come."""
        return self._answers.pop(request, None)

    def has_more_room(self) -> bool:
        """Is there so much more room for results that the broker is to be told?"""
        return self.welcomed and self.room.is_more_than_said()

    def must_say(self) -> bool:
        """Is there something to be said that waits for nothing?"""
        return bool(self.outbox) or self.reconnect

    def take_outbox(self) -> list[tuple[wire.Message, Frames]]:
        """Return, once, what is to be sent, in order."""
        if self.has_more_room():
            self.room.said = self.room.credit()
            self.say(wire.Credit(self.room.said))
        outbox, self.outbox = self.outbox, []
        return outbox

    # ---- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        """A new connection begins: `hello` goes first, the rest after `Welcome`."""
        self.welcomed = False
        self.reconnect = False
        self.connections += 1
        self.room.connect()
        self.outbox = [(self.hello(), ())]

    def hello(self) -> wire.Hello:
        """Return who we are, what we hold, and what we wait for."""
        until = self._unacknowledged_from()
        hosting = [
            self._hosting(scope, until.get(scope.task, scope.submitted()))
            for scope in self.scopes.values()
            if scope.alive and self.is_recorded(scope)
        ]
        return wire.Hello(
            wire.PROTOCOL_VERSION, self.session, self.role, self.host, os.getpid(), self.agent,
            hosting, self.holding(), self.connections, credit=self.room.said,
        )  # fmt: skip

    def _unacknowledged_from(self) -> dict[bytes, int]:
        """Return, by parent, the first ordinal of what is said again after `Welcome`.

        The broker may have missed that; until it has compared it, what it has at these ordinals
        may be other calls of an earlier run of the parent.
        """
        until: dict[bytes, int] = {}
        for _, message, _, _, _ in self._unacknowledged:
            if type(message) is wire.Submit:
                until.setdefault(message.parent, message.first)
        return until

    @staticmethod
    def _hosting(scope: Scope, until: int) -> wire.Hosting:
        ranges = [(a, min(b, until)) for a, b in scope.waits_for() if a < until]
        skipped = [(a, min(b, until)) for a, b in scope.skipped if a < until]
        return wire.Hosting(scope.task, until, ranges, skipped)

    def is_recorded(self, scope: Scope) -> bool:
        """Does the broker know this parent?"""
        return True

    def holding(self) -> list[wire.SpanRef]:
        """Return the tasks this process has and has not finished."""
        return []

    # ---- hearing ---------------------------------------------------------------------------

    def on_message(self, message: Any, frames: Frames) -> None:
        """Take a message of the broker."""
        if self.reconnect:
            return  # of a connection that counts no more: all that is in it will be said again
        handler = self.handlers().get(type(message))
        if handler is not None:
            handler(self, message, frames)

    def handlers(self) -> dict[type, Callable[[Any, Any, Frames], None]]:
        """Return what to do on which message."""
        return HANDLERS

    def _on_welcome(self, m: wire.Welcome, frames: Frames) -> None:
        if self.welcomed:
            return  # the answer to the hello of an older connection
        self.welcomed = True
        self.settings = m.settings
        if m.incarnation != self._incarnation:
            self._incarnation = m.incarnation
            self._forget_defined()  # another broker may have forgotten what nothing calls
        self.seed = m.settings.get("seed", self.seed)
        self.seeded = m.settings.get("seeded", False)
        self._renumber()
        self.outbox = [(message, parts) for _, message, parts, _, _ in self._unacknowledged]
        self.outbox += [(message, ()) for message in self._given_up_again()]
        self.outbox += [(message, ()) for message in self._asked.values()]

    def _forget_defined(self) -> None:
        self._defined.clear()

    def _given_up_again(self) -> Iterator[wire.Cancel]:
        """Another broker hears of some batches for the first time: all of them would be wanted."""
        unrecorded = [each.message for each in self._unacknowledged]
        names = {message.batch for message in unrecorded if type(message) is wire.Submit}
        self._given_up = {name: these for name, these in self._given_up.items() if name in names}
        return chain.from_iterable(self._given_up.values())

    def _give_up(self, asked: wire.Cancel, ranges: Sequence[wire.Range]) -> None:
        for each in self._unacknowledged:
            m = each.message
            if type(m) is not wire.Submit or m.parent != asked.parent:
                continue
            stop = m.first + m.count
            of_it = [(max(a, m.first), min(z, stop)) for a, z in ranges if a < stop and z > m.first]
            if of_it:
                again = msgspec.structs.replace(asked, ranges=of_it)
                self._given_up.setdefault(m.batch, []).append(again)

    def _renumber(self) -> None:
        """Put what must be said again in the order in which it happened.

        A result that came from a broker that died may be in no journal: the new one gets it before
        whatever was submitted after it came.
        """
        kept, self._unacknowledged = self._unacknowledged, deque()
        unsynced, self._unsynced = self._unsynced, deque()
        self._synced = 0
        self.unacknowledged_bytes = 0
        welcomed, self.welcomed = self.welcomed, False  # nothing is sent yet
        while kept or unsynced:
            if unsynced and (not kept or kept[0][0] > unsynced[0][0]):
                _, deliver, frames = unsynced.popleft()
                self.keep(_give_back(deliver, self.number()), frames)
            else:
                _, message, frames, _, receipt = kept.popleft()
                again = self.again(message)
                self.keep(msgspec.structs.replace(again, n=self.number()), frames, receipt)
        self.welcomed = welcomed

    def again(self, message: Any) -> Any:
        """Return a message as it is to be said to another broker."""
        return message

    def _on_refused(self, m: wire.Refused, frames: Frames) -> None:
        self.ended = m.reason
        if self.welcomed:
            self.refused = m.reason

    def _on_unknown(self, m: wire.Unknown, frames: Frames) -> None:
        self.reconnect = True

    def _on_ack(self, m: wire.Ack, frames: Frames) -> None:
        kept = self._unacknowledged
        while kept and kept[0].n <= m.n:
            _, message, _, size, receipt = kept.popleft()
            self.unacknowledged_bytes -= size
            if self._given_up and type(message) is wire.Submit:
                self._given_up.pop(message.batch, None)
            if receipt is not None:
                receipt.acknowledged = True
        self.on_event()

    def _on_synced(self, m: wire.Synced, frames: Frames) -> None:
        while self._unsynced and self._synced < m.delivered:
            self._unsynced.popleft()
            self._synced += 1

    def _on_deliver(self, m: wire.Deliver, frames: Frames) -> None:
        self._unsynced.append((self._n, m, frames))
        size = sum(map(len, frames))
        self.room.receive(size)
        scope = self.scopes.get(m.parent)
        if scope is None:
            return
        buffers: dict[int, list[Buffer]] = {}
        if m.buffers:
            position_of = _positions(m.ranges)
            for (index, _), frame in zip(m.buffers, frames[1:], strict=True):
                # Read-only: whoever loads it gets a copy, since what is kept here must not change.
                buffers.setdefault(position_of(index), []).append(memoryview(frame).toreadonly())
        ends, payload = memoryview(m.ends).cast("I"), memoryview(frames[0])
        chunk = Chunk(m.status, ends, m.base, payload, buffers, self.room.hold(size))
        position = 0
        for (start, stop), shift in zip(m.ranges, m.shifts or repeat(m.shift)):  # noqa: B905
            scope.deliver(start + shift, stop + shift, chunk, position)
            position += stop - start

    def _on_const(self, m: wire.Const, frames: Frames) -> None:
        self.consts[m.key] = (frames[0], list(frames[1:]))
        self.on_event()

    def _on_cancelled(self, m: wire.Cancelled, frames: Frames) -> None:
        asked = self._asked.pop(m.request, None)
        if asked is None:
            return  # answered on an older connection
        self._answers[m.request] = m.ranges
        self._give_up(asked, m.ranges)
        scope = self.scopes.get(asked.parent)
        if scope is not None:
            for start, stop in m.ranges:
                scope.deliver(start, stop, _cancelled(stop - start), 0)
        self.on_event()

    def _on_answer(self, m: wire.Answer, frames: Frames) -> None:
        if self._asked.pop(m.request, None) is not None:
            self._answers[m.request] = m.running
            self.on_event()

    def _on_fetched(self, m: wire.Fetched, frames: Frames) -> None:
        if self._asked.pop(m.request, None) is not None:
            self._answers[m.request] = (m, list(frames))
            self.on_event()

    def _on_sources(self, m: wire.Sources, frames: Frames) -> None:
        self.sources.update((ref.name, ref) for ref in m.sources)
        if not m.request:
            self.on_sources(m.sources)
        elif self._asked.pop(m.request, None) is not None:
            self._answers[m.request] = (m.sources, frames)
            self.on_event()

    def _on_stop(self, m: wire.Stop, frames: Frames) -> None:
        self.ended = m.reason

    def broken(self) -> BrokenRun:
        """Return the error for those who still wait."""
        then = (
            "" if self.refused or "resume" in self.ended else "; 'scoop-ft resume' goes on with it"
        )
        return BrokenRun(f"the run has ended: {self.ended}{then}")


def _cancelled(count: int) -> Chunk:
    """Return the results of children that will not run."""
    ends = memoryview(bytes(4 * count)).cast("I")
    return Chunk(bytes((Status.CANCELLED,)) * count, ends, 0, memoryview(b""), {})


def _give_back(m: wire.Deliver, n: int) -> wire.Results:
    """Return what a broker had passed on, as the results it was."""
    ends = m.ends
    if m.base:
        ends = array("I", (end - m.base for end in memoryview(ends).cast("I"))).tobytes()
    return wire.Results(n, m.batch, m.ranges, m.status, ends, m.buffers, 0, 0, True)


def _positions(ranges: Sequence[tuple[int, int]]) -> Callable[[int], int]:
    def position_of(index: int) -> int:
        before = 0
        for start, stop in ranges:
            if start <= index < stop:
                return before + index - start
            before += stop - start
        raise LookupError(index)

    return position_of


HANDLERS: dict[type, Callable[[Any, Any, Frames], None]] = {
    wire.Welcome: Session._on_welcome,
    wire.Refused: Session._on_refused,
    wire.Unknown: Session._on_unknown,
    wire.Ack: Session._on_ack,
    wire.Deliver: Session._on_deliver,
    wire.Synced: Session._on_synced,
    wire.Const: Session._on_const,
    wire.Cancelled: Session._on_cancelled,
    wire.Answer: Session._on_answer,
    wire.Fetched: Session._on_fetched,
    wire.Sources: Session._on_sources,
    wire.Stop: Session._on_stop,
}
