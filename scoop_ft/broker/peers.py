"""Who is connected, and what each worker holds: sessions and their leases.

A lease says that a worker has a stretch of a batch and has not reported it.  Leases are
bookkeeping for requeueing: a result counts whoever sends it.

No I/O; time comes in as an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..wire.messages import Hello, SpanRef, WorkerReport
from .tasks import Batch

Lease = tuple[int, int, float]  # start, stop, expected seconds a task


class Peer:
    """One session: a root, a worker, an agent or an observer.

    Attributes
    ----------
    functions : set of bytes
        Digests of functions this session has been sent.
    leases : dict
        Batch id to the leases this worker holds on it.
    load : int
        Tasks leased.
    backlog_s : float
        The time these are expected to take.
    idle : bool
        The worker has said that it has nothing it could run.
    suspended : bool
        Stopped or silent: it gets nothing, and what it held was given to others.
    leaving : bool
        It goes away: it is suspended for good.
    credit : int
        Bytes of results that may be sent on this connection in all; 0: as many as there are.
    sent : int
        How many were.
    unsent : deque of (batch id, start, stop)
        Results beyond that, for parents that run here: they are read from the journal later.
    """

    __slots__ = (
        "acked", "agent", "backlog_s", "connected", "credit", "delivered", "dropping", "functions",
        "heard_at", "host", "idle", "isolated", "leases", "leaving", "load", "lost_at", "pid",
        "recall", "recall_at", "recall_sent", "recall_wait", "report", "resources", "role", "runs",
        "seen", "sent", "session", "suspended", "tasks_done", "unsent", "unsettled",
    )  # fmt: skip

    def __init__(self, hello: Hello, now: float) -> None:
        self.session = hello.session
        self.role = hello.role
        self.host = hello.host
        self.pid = hello.pid
        self.agent = hello.agent
        self.resources = hello.resources
        self.connected = True
        self.heard_at = now
        self.lost_at = 0.0
        self.functions: set[bytes] = set()
        self.leases: dict[bytes, list[Lease]] = {}
        self.load = 0
        self.backlog_s = 0.0
        self.idle = False
        self.suspended = False
        self.leaving = False
        self.isolated = False
        self.runs = 0
        self.delivered = 0  # `Deliver` messages on this connection
        self.credit = hello.credit
        self.sent = 0
        self.unsent: deque[SpanRef] = deque()
        self.seen = 0
        self.acked = 0
        self.unsettled: set[int] = set()
        self.dropping: deque[list[SpanRef]] = deque()  # each `Drop` that it has not answered
        self.recall = 0  # number of the recall under way, 0 for none
        self.recall_sent = 0.0
        self.recall_at = 0.0  # not before
        self.recall_wait = 0.0
        self.report: WorkerReport | None = None
        self.tasks_done = 0

    def lease(self, batch: Batch, start: int, stop: int, cost: float) -> None:
        """The worker has these tasks now."""
        self.leases.setdefault(batch.id, []).append((start, stop, cost))
        batch.holders.add(self.session)
        self.load += stop - start
        self.backlog_s += cost * (stop - start)

    def release(self, batch: Batch, start: int, stop: int) -> None:
        """The worker no longer has those among these tasks that it had."""
        leases = self.leases.get(batch.id)
        if not leases:
            return
        kept: list[Lease] = []
        for a, b, cost in leases:
            low, high = max(a, start), min(b, stop)
            if low >= high:
                kept.append((a, b, cost))
                continue
            self.load -= high - low
            self.backlog_s -= cost * (high - low)
            if a < low:
                kept.append((a, low, cost))
            if high < b:
                kept.append((high, b, cost))
        if kept:
            self.leases[batch.id] = kept
        else:
            del self.leases[batch.id]
            batch.holders.discard(self.session)
        if not self.leases:
            self.backlog_s = 0.0

    def holds(self, batch: Batch, index: int) -> bool:
        """Has this worker a lease on this task?"""
        return any(a <= index < b for a, b, _ in self.leases.get(batch.id, ()))

    def gives_up(self, batch: bytes, index: int) -> bool:
        """Was this worker told to drop this task, and may not have heard it yet?"""
        return any(
            name == batch and a <= index < b for spans in self.dropping for name, a, b in spans
        )

    def held(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield the spans this worker has leases on."""
        for batch, leases in self.leases.items():
            for start, stop, _ in leases:
                yield batch, start, stop

    def has_credit(self) -> bool:
        """May a result be sent to it now?"""
        return not self.credit or self.sent < self.credit

    def settled(self) -> int:
        """Return the number up to which all messages of this session are dealt with."""
        return min(self.unsettled) - 1 if self.unsettled else self.seen
