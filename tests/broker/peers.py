"""Peers that behave as the real ones do, in a few lines each: a root, a worker, an agent.

What their tasks do, `made_up` says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id, lineage, task_id
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import Buffer

from .made_up import (
    BLOB,
    FUNCTION,
    children,
    combine,
    expected,
    give_back,
    packed_ends,
    unpack_results,
)

if TYPE_CHECKING:
    from .rig import Rig


class FakePeer:
    """A session: what it keeps until it is acknowledged, and what it has heard."""

    role = ""

    def __init__(self, rig: Rig, session: bytes) -> None:
        self.rig = rig
        self.session = session
        self.agent = b""
        self.connected = self.welcomed = False
        self.awake = True  # not stopped by a signal
        self.inbox: deque[tuple[Any, list[bytes]]] = deque()
        self.heard: list[Any] = []
        self.kept: deque[tuple[int, Any, Sequence[Buffer]]] = deque()
        self.unsynced: deque[tuple[int, wire.Deliver, Sequence[Buffer]]] = deque()
        self.synced = 0
        self.n = 0
        self.batches = 0
        self.defined = False
        self.ordered = False  # what it submits follows from no order of results
        self.stopped = ""

    # ---- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin a new connection; nothing of the old one gets through."""
        self.inbox.clear()
        self.connected, self.welcomed = True, False
        self.rig.say(
            self.session,
            wire.Hello(wire.PROTOCOL_VERSION, self.session, self.role, "host", 1, self.agent,
                       self.hosting(), self.holding(), 0, self.has()),
        )  # fmt: skip

    def disconnected(self) -> None:
        """The connection is no more."""
        self.connected = self.welcomed = False
        self.inbox.clear()

    def has(self) -> dict[str, int]:
        """Return its resources."""
        return {}

    def hosting(self) -> list[wire.Hosting]:
        """Return the parents that run here."""
        return []

    def holding(self) -> list[wire.SpanRef]:
        """Return the tasks that are here and have not ended."""
        return []

    def unacknowledged_from(self, parent: bytes) -> int:
        """Return the first ordinal of a parent whose submission was not acknowledged."""
        return min(
            (m.first for _, m, _ in self.kept if type(m) is wire.Submit and m.parent == parent),
            default=1 << 62,
        )

    # ---- saying ----------------------------------------------------------------------------

    def say(self, message: Any, frames: Sequence[Buffer] = ()) -> None:
        """Say something that need not be kept."""
        if self.welcomed:
            self.rig.say(self.session, message, frames)

    def number(self) -> int:
        """Return the number of the next message to be kept."""
        self.n += 1
        return self.n

    def keep(self, message: Any, frames: Sequence[Buffer] = ()) -> None:
        """Say something, and keep it until it is acknowledged."""
        self.kept.append((message.n, message, frames))
        self.say(message, frames)
        if type(message) is wire.Checkpoint and message.parent == ROOT_ID:
            self.defined = False

    def define(self) -> None:
        """Send the function, once."""
        if not self.defined:
            self.defined = True
            self.keep(wire.Define(self.number(), FUNCTION, "f"), [BLOB])

    def submit_batch(
        self, parent: bytes, place: bytes, first: int, arguments: Sequence[bytes],
        claimed: Sequence[tuple[int, int]] = (), options: wire.Options = wire.PLAIN,
    ) -> bytes:  # fmt: skip
        """Submit a batch; return its name."""
        self.define()
        self.batches += 1
        name = batch_id(self.session, self.batches)
        message = wire.Submit(
            self.number(), name, parent, place, first, len(arguments), [FUNCTION], b"",
            packed_ends(arguments), [], list(claimed), self.ordered, options,
        )  # fmt: skip
        self.keep(message, [b"".join(arguments)])
        return name

    # ---- hearing ---------------------------------------------------------------------------

    def handle(self, limit: int = 1 << 30) -> None:
        """Handle what has come."""
        while self.inbox and limit:
            limit -= 1
            message, frames = self.inbox.popleft()
            self.heard.append(message)
            handler = getattr(self, f"on_{type(message).__name__.lower()}", None)
            if handler is not None:
                handler(message, frames)

    def on_welcome(self, m: wire.Welcome, frames: list[bytes]) -> None:
        self.welcomed = True
        kept, self.kept = self.kept, deque()
        unsynced, self.unsynced = self.unsynced, deque()
        self.synced = 0
        while kept or unsynced:  # in the order in which it happened, under new numbers
            if unsynced and (not kept or kept[0][0] > unsynced[0][0]):
                _, deliver, parts = unsynced.popleft()
                self.keep(give_back(deliver, self.number()), parts)
            else:
                _, message, parts = kept.popleft()
                message = structs.replace(self.again(message), n=self.number())
                self.keep(message, parts)

    def again(self, message: Any) -> Any:
        """Return a message as it is to be said once more."""
        return message

    def on_synced(self, m: wire.Synced, frames: list[bytes]) -> None:
        while self.unsynced and self.synced < m.delivered:
            self.unsynced.popleft()
            self.synced += 1

    def on_unknown(self, m: wire.Unknown, frames: list[bytes]) -> None:
        if self.welcomed:
            self.connect()

    def on_ack(self, m: wire.Ack, frames: list[bytes]) -> None:
        while self.kept and self.kept[0][0] <= m.n:
            self.kept.popleft()

    def on_stop(self, m: wire.Stop, frames: list[bytes]) -> None:
        self.stopped = m.reason

    def rest(self) -> None:
        """Everything is handled."""

    def all_of(self, kind: type) -> list[Any]:
        """Return what was heard of one kind."""
        return [message for message in self.heard if type(message) is kind]


class FakeRoot(FakePeer):
    """The script: it submits and keeps what it gets, by ordinal."""

    role = "root"

    def __init__(self, rig: Rig, session: bytes) -> None:
        super().__init__(rig, session)
        self.arguments: list[bytes] = []
        self.results: dict[int, tuple[int, bytes]] = {}
        self.given_up: set[int] = set()
        self.asked: dict[int, wire.Cancel] = {}
        self.requests = 0

    def submit(self, *arguments: bytes | str, options: wire.Options | None = None) -> bytes:
        """Submit calls as one batch."""
        calls = [a.encode() if isinstance(a, str) else a for a in arguments]
        first = len(self.arguments)
        self.arguments += calls
        options = self.rig.options_of(first) if options is None else options
        return self.submit_batch(ROOT_ID, ROOT_LINEAGE, first, calls, options=options)

    def cancel(self, *ordinals: int, subtree: bool = False) -> None:
        """Give children up."""
        ranges = [(ordinal, ordinal + 1) for ordinal in ordinals]
        self.requests += 1
        message = self.asked[self.requests] = wire.Cancel(self.requests, ROOT_ID, ranges, subtree)
        self.say(message)

    def end(self, code: int = 0) -> None:
        """The script has ended."""
        self.keep(wire.End(self.number(), code))

    def hosting(self) -> list[wire.Hosting]:
        until = min(len(self.arguments), self.unacknowledged_from(ROOT_ID))
        waits = [(o, o + 1) for o in range(until) if o not in self.results | self.gone()]
        return [wire.Hosting(ROOT_ID, until, waits)]

    def on_deliver(self, m: wire.Deliver, frames: list[bytes]) -> None:
        self.unsynced.append((self.n, m, frames))
        for ordinal, result in unpack_results(m, frames).items():
            if ordinal < len(self.arguments):
                self.results.setdefault(ordinal, result)

    def on_welcome(self, m: wire.Welcome, frames: list[bytes]) -> None:
        super().on_welcome(m, frames)
        for message in self.asked.values():
            self.say(message)

    def on_cancelled(self, m: wire.Cancelled, frames: list[bytes]) -> None:
        if self.asked.pop(m.request, None) is None:
            return
        for start, stop in m.ranges:
            self.given_up.update(range(start, stop))

    def wrong(self) -> list[int]:
        """Return the ordinals whose result is not what it must be."""
        return [
            ordinal
            for ordinal, (status, payload) in self.results.items()
            if status == wire.Status.OK and payload != expected(self.arguments[ordinal])
        ]

    def missing(self) -> list[int]:
        """Return the ordinals without a result."""
        return [o for o in range(len(self.arguments)) if o not in self.results | self.gone()]

    def gone(self) -> dict[int, tuple[int, bytes]]:
        """Return those that were given up, as results."""
        return {ordinal: (int(wire.Status.CANCELLED), b"") for ordinal in self.given_up}


class Item(NamedTuple):
    """A task in a worker's hands."""

    batch: bytes
    index: int
    argument: bytes
    place: bytes  # its lineage
    replayed: bool
    scope: Scope | None  # its parent, when that runs here and this worker runs the child for it

    @property
    def id(self) -> bytes:
        return task_id(self.batch, self.index)


class Scope:
    """A parent that runs in a worker."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.alive = True
        self.abandoned = False
        self.arguments = children(item.argument)
        self.results: dict[int, bytes] = {}

    @property
    def complete(self) -> bool:
        return len(self.results) == len(self.arguments)


class FakeWorker(FakePeer):
    """Runs tasks one after the other; a parent waits while its children run."""

    role = "worker"

    def __init__(self, rig: Rig, session: bytes) -> None:
        super().__init__(rig, session)
        self.queue: deque[Item] = deque()
        self.scopes: dict[bytes, Scope] = {}
        self.runs = 0
        self.idle_said = False
        self.resources: dict[str, int] = {}
        self.elapsed_ns = 1_000_000  # what each of its tasks takes
        self.claims = True  # runs its tasks' children itself, where it may

    def has(self) -> dict[str, int]:
        return self.resources

    def connect(self) -> None:
        self.runs, self.idle_said = 0, False
        super().connect()

    def hosting(self) -> list[wire.Hosting]:
        found = []
        for task, scope in self.scopes.items():
            until = min(len(scope.arguments), self.unacknowledged_from(task))
            waits = [(o, o + 1) for o in range(until) if o not in scope.results]
            found.append(wire.Hosting(task, until, waits))
        return found

    def holding(self) -> list[wire.SpanRef]:
        items = [scope.item for scope in self.scopes.values()] + list(self.queue)
        kept = [m for _, m, _ in self.kept if type(m) is wire.Results]
        held = [(item.batch, item.index, item.index + 1) for item in items]
        return held + [(m.batch, start, stop) for m in kept for start, stop in m.ranges]

    def again(self, message: Any) -> Any:
        if type(message) is not wire.Submit or not message.claimed:
            return message
        held = sorted((a, z) for batch, a, z in self.holding() if batch == message.batch)
        return structs.replace(message, claimed=held)

    # ---- running ---------------------------------------------------------------------------

    def step(self) -> None:
        """Run the next task, up to its end or until it waits."""
        item = self.queue.popleft()
        self.rig.ran.append(item.argument)
        self.rig.begun.append(item.id)
        if not children(item.argument):
            self.finish(item, expected(item.argument))
            return
        scope = self.scopes[item.id] = Scope(item)
        calls, own = scope.arguments, self.claims and not item.replayed
        claimed = [(0, len(calls))] if own else []
        name = self.submit_batch(item.id, item.place, 0, calls, claimed)
        if own:
            self.idle_said = False
            places = [lineage(item.place, ordinal) for ordinal in range(len(calls))]
            items = [Item(name, i, call, places[i], False, scope) for i, call in enumerate(calls)]
            self.queue.extendleft(reversed(items))

    def finish(self, item: Item, payload: bytes, status: int = 0) -> None:
        """A task has ended."""
        scope = item.scope
        if scope is None or scope.alive or scope.abandoned:
            self.keep(
                wire.Results(
                    self.number(), item.batch, [(item.index, item.index + 1)],
                    bytes((status,)) if status else b"", packed_ends([payload]), [],
                    1, self.elapsed_ns, scope is not None and scope.alive,
                ),
                [payload],
            )  # fmt: skip
        if scope is not None and scope.alive:
            self.put(scope, item.index, payload)

    def put(self, scope: Scope, ordinal: int, payload: bytes) -> None:
        """A child's result is there."""
        scope.results.setdefault(ordinal, payload)
        if scope.complete and scope.alive:
            results = [scope.results[o] for o in range(len(scope.arguments))]
            self.end_scope(scope)
            self.finish(scope.item, combine(results))

    def end_scope(self, scope: Scope) -> None:
        """A parent has ended: nobody wants its other children."""
        scope.alive = False
        if self.scopes.get(scope.item.id) is scope:  # else it is run here again
            del self.scopes[scope.item.id]
        self.queue = deque(item for item in self.queue if item.scope is not scope)

    def rest(self) -> None:
        if not self.queue and not self.idle_said and self.welcomed and not self.inbox:
            self.idle_said = True
            self.say(wire.Idle(self.runs))

    # ---- hearing ---------------------------------------------------------------------------

    def on_run(self, m: wire.Run, frames: list[bytes]) -> None:
        self.runs += 1
        self.idle_said = False
        ends = memoryview(m.ends).cast("I")
        begin = m.base
        for index in range(m.start, m.stop):
            end = ends[index - m.start]
            argument = frames[0][begin - m.base : end - m.base]
            place = lineage(m.lineage, m.ordinal + index - m.start)
            self.queue.append(
                Item(m.batch, index, bytes(argument), place, index in m.replayed, None)
            )
            begin = end

    def on_deliver(self, m: wire.Deliver, frames: list[bytes]) -> None:
        self.unsynced.append((self.n, m, frames))
        scope = self.scopes.get(m.parent)
        if scope is None:
            return
        for ordinal, (_, payload) in unpack_results(m, frames).items():
            if scope.alive and ordinal < len(scope.arguments):
                self.put(scope, ordinal, payload)

    def on_recall(self, m: wire.Recall, frames: list[bytes]) -> None:
        spans = []
        for _ in range((len(self.queue) + 1) // 2):
            item = self.queue.pop()
            spans.append((item.batch, item.index, item.index + 1))
        self.say(wire.Returned(m.recall, spans))

    def on_drop(self, m: wire.Drop, frames: list[bytes]) -> None:
        def dropped(item: Item) -> bool:
            return any(b == item.batch and s <= item.index < e for b, s, e in m.spans)

        spans = [(i.batch, i.index, i.index + 1) for i in self.queue if dropped(i)]
        self.queue = deque(item for item in self.queue if not dropped(item))
        self.say(wire.Returned(m.recall, spans, not m.recall))
        if not m.recall:
            for scope in list(self.scopes.values()):
                if scope.alive and dropped(scope.item):
                    self.abandon(scope)

    def abandon(self, scope: Scope) -> None:
        """A parent that waits is not wanted here any more: it is run elsewhere.

        Its children that have not begun are handed back; those that have are run to their end.
        """
        scope.abandoned = True
        spans = [(i.batch, i.index, i.index + 1) for i in self.queue if i.scope is scope]
        self.end_scope(scope)
        if spans:
            self.say(wire.Returned(0, spans))

    def leave(self) -> None:
        """Hand back what has not started, and go."""
        spans = [(item.batch, item.index, item.index + 1) for item in self.queue]
        self.queue.clear()
        self.say(wire.Returned(0, spans))
        self.say(wire.Leaving())


class FakeAgent(FakePeer):
    """Answers for workers."""

    role = "agent"

    def heartbeat(self, states: dict[FakeWorker, tuple[str, bytes]]) -> None:
        """Report workers: their state and the task that runs."""
        self.say(
            wire.Heartbeat(
                [
                    wire.WorkerReport(worker.session, 1, state, task, 0.0, 0, 0)
                    for worker, (state, task) in states.items()
                ]
            )
        )

    def gone(
        self, worker: FakePeer, *, task: bytes = b"", signal: int = 9, stderr: str = "",
        stopped: bool = False, overdue: bool = False,
    ) -> None:  # fmt: skip
        """Report that a worker's process has ended."""
        self.keep(
            wire.Gone(self.number(), worker.session, 1, 0, signal, task, stderr, stopped, overdue)
        )
