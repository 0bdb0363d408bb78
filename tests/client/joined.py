"""A real session in the broker's rig, in place of the peers that are made up there.

Messages go both ways through the real codec; nothing is sent or heard before the test says so.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from scoop_ft.client.groups import Group
from scoop_ft.client.scopes import Scope, define
from scoop_ft.client.session import Session
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, split_task_id, task_id
from scoop_ft.wire import messages as wire
from scoop_ft.worker.session import WorkerSession
from scoop_ft.worker.spans import Piece, Span

from ..broker.rig import Rig

FUNCTION = define(len)


class Joined:
    """A session, and the connection that the rig sees."""

    def __init__(self, rig: Rig, real: Session) -> None:
        self.rig = rig
        self.real = real
        self.session = real.session
        self.role = real.role
        self.inbox: deque[tuple[Any, list[bytes]]] = deque()
        self.connected = False
        self.awake = True
        rig.peers[self.session] = self  # type: ignore[assignment]
        self.connect()
        rig.flush()
        self.handle()

    def connect(self) -> None:
        """Begin a new connection; nothing of the old one gets through."""
        self.inbox.clear()
        self.connected = True
        self.real.connect()
        self.send()

    def disconnected(self) -> None:
        """The connection is no more; what was on its way is lost."""
        self.connected = False
        self.real.welcomed = False
        self.real.outbox.clear()
        self.inbox.clear()

    def send(self) -> None:
        """Do what the link does when it looks at the socket."""
        if self.real.welcomed:
            self.flush()
        for message, frames in self.real.take_outbox():
            self.rig.say(self.session, message, frames)

    def flush(self) -> None:
        """Turn what was submitted or finished into messages."""

    def handle(self) -> None:
        """Handle what has come."""
        while self.inbox:
            self.real.on_message(*self.inbox.popleft())
        self.send()

    def rest(self) -> None:
        """Everything is handled."""
        self.send()


def add(scope: Scope, *arguments: str) -> None:
    """Put calls into a scope's open batch."""
    for argument in arguments:
        scope.add(FUNCTION, (argument,), {})


class JoinedRoot(Joined):
    """The script's process."""

    def __init__(self, rig: Rig, room_bytes: int = 0) -> None:
        real = Session(rig.new_session(), "root", "host")
        real.room.size = room_bytes
        self.scope = Scope(ROOT_ID, ROOT_LINEAGE, replayed=True)
        real.scopes[ROOT_ID] = self.scope
        super().__init__(rig, real)

    def submit(self, *arguments: str) -> Group:
        """Submit calls as one batch."""
        add(self.scope, *arguments)
        closed = self.scope.close()
        assert closed is not None
        self.real.submit(closed, self.real.new_batch())
        return closed.group


class JoinedWorker(Joined):
    """A worker whose tasks do what the test says."""

    real: WorkerSession

    def __init__(self, rig: Rig) -> None:
        real = WorkerSession(rig.new_session(), "host", b"")
        real.idle = True
        self.abandoned: list[bytes] = []
        real.on_abandon = self._abandon
        super().__init__(rig, real)

    def _abandon(self, spans: list[wire.SpanRef], cancelled: bool) -> None:
        for batch, start, stop in spans:
            self.abandoned += [task_id(batch, index) for index in range(start, stop)]

    def flush(self) -> None:
        self.real.flush()

    def begin(self) -> tuple[Span, int]:
        """Begin the next task."""
        piece = self.real.queue.take()
        assert piece is not None
        self.real.queue.give_back(Piece(piece.span, piece.next + 1, piece.stop))
        self.real.idle = False
        span, index = piece.span, piece.next
        piece.stop = piece.next
        self.real.running[task_id(span.batch, index)] = (span, index)
        return span, index

    def parent(self, task: tuple[Span, int]) -> Scope:
        """Make a task that runs a parent."""
        span, index = task
        name = task_id(span.batch, index)
        scope = Scope(name, bytes(16), replayed=index in span.replayed)
        self.real.scopes[name] = scope
        return scope

    def submit(self, scope: Scope, *arguments: str) -> None:
        """A parent submits calls as one batch."""
        add(scope, *arguments)
        self.real.close(scope)

    def finish(self, task: tuple[Span, int], payload: bytes, status: int = 0) -> None:
        """A task ends."""
        span, index = task
        name = task_id(span.batch, index)
        scope = self.real.scopes.get(name)
        if scope is not None:
            self.real.end(scope)
        del self.real.running[name]
        self.real.finish(span, (index, status, payload, ()))


def tasks(worker: JoinedWorker) -> list[tuple[bytes, int]]:
    """Return the tasks a worker says it holds."""
    return [
        split_task_id(task_id(batch, index))
        for batch, start, stop in worker.real.holding()
        for index in range(start, stop)
    ]
