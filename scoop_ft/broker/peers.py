"""Who is connected, and what each worker holds: sessions and their leases.

Nothing that happens for each message, each span or each tick may look at all workers: there may be
ten thousand.  So `Peers` has at hand those few that somebody may ask about.

A lease says that a worker has a stretch of a batch and has not reported it.  Leases are
bookkeeping for requeueing: a result counts whoever sends it.

No I/O; time comes in as an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from ..wire.messages import Hello, SpanRef, WorkerReport
from .tasks import Batch

PACE_GAIN: Final = 0.5  # weight of the newest report in a worker's pace
PACED: Final = 3  # reports before its pace is believed
SLOW: Final = 2.0  # times as long as usual: a slow worker
SLOWEST: Final = 100.0  # one report says no more than this

WITH_PARENTS: Final = frozenset({"root", "worker"})  # the roles of sessions that run user code

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
    began_at : float
        When it was last given something while it had nothing, or last had a result: what it
        runs has not run for longer.
    pace : float
        How many times as long as is usual its tasks take.
    credit : int
        Bytes of results that may be sent on this connection in all; 0: as many as there are.
    sent : int
        How many were.
    unsent : deque of (batch id, start, stop)
        Results beyond that, for parents that run here: they are read from the journal later.
    """

    __slots__ = (
        "acked", "agent", "backlog_s", "began_at", "connected", "credit", "delivered", "dropping",
        "functions", "heard_at", "host", "idle", "isolated", "leases", "leaving", "load", "lost_at",
        "pace", "paced", "pid", "place", "recall", "recall_at", "recall_sent", "recall_wait",
        "report", "resources", "resting", "role", "runs", "seen", "sent", "session", "suspended",
        "tasks_done", "unsent", "unsettled",
    )  # fmt: skip

    def __init__(self, hello: Hello, now: float) -> None:
        self.session = hello.session
        self.role = hello.role
        self.host = hello.host
        self.pid = hello.pid
        self.agent = hello.agent
        self.resources = hello.resources
        self.connected = True
        self.place = 0  # among all peers, in the order in which they came
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
        self.resting = False  # the dispatcher has it among those that it may recall, now or later
        self.report: WorkerReport | None = None
        self.tasks_done = 0
        self.began_at = now
        self.pace = 1.0
        self.paced = 0  # reports that this stands on

    def keep_pace(self, times: float) -> None:
        """Its newest tasks have taken so many times as long as is usual."""
        self.pace += PACE_GAIN * (min(times, SLOWEST) - self.pace)
        self.paced += 1

    @property
    def is_fast(self) -> bool:
        """Has it shown that it is not slower than others?"""
        return self.paced >= PACED and self.pace < SLOW

    @property
    def drag(self) -> float:
        """How much less than others it is to be given at a time."""
        return self.pace if self.paced >= PACED and self.pace >= SLOW else 1.0

    def lease(self, batch: Batch, start: int, stop: int, cost: float) -> None:
        """The worker has these tasks now."""
        self.leases.setdefault(batch.id, []).append((start, stop, cost))
        batch.holders.add(start, stop, self.session)
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
            batch.holders.remove(a, b, self.session)
            for left in ((a, low), (high, b)):
                if left[0] < left[1]:
                    kept.append((*left, cost))
                    batch.holders.add(*left, self.session)
        if kept:
            self.leases[batch.id] = kept
        else:
            del self.leases[batch.id]
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


class Peers(dict[bytes, Peer]):
    """All sessions, by name, in the order in which they came.

    Attributes
    ----------
    workers, agents, observers : dict
        Those of a role, by session.
    away : dict
        The workers that are not connected.
    """

    def __init__(self) -> None:
        super().__init__()
        self.workers: dict[bytes, Peer] = {}
        self.agents: dict[bytes, Peer] = {}
        self.observers: dict[bytes, Peer] = {}
        self.away: dict[bytes, Peer] = {}
        self._of_role = {
            "worker": self.workers, "agent": self.agents, "observer": self.observers
        }  # fmt: skip
        self._of_agent: dict[bytes, dict[bytes, Peer]] = {}
        self._places = 0

    def __setitem__(self, session: bytes, peer: Peer) -> None:
        old = self.get(session)
        if old is not None:
            peer.place = old.place
            self._forget(old, but=peer)
        else:
            self._places += 1
            peer.place = self._places
        super().__setitem__(session, peer)
        if peer.role in self._of_role:
            self._of_role[peer.role][session] = peer
        if peer.role == "worker":
            self._of_agent.setdefault(peer.agent, {})[session] = peer
            if not peer.connected:
                self.away[session] = peer

    def __delitem__(self, session: bytes) -> None:
        self._forget(self[session])
        super().__delitem__(session)

    def _forget(self, old: Peer, but: Peer | None = None) -> None:
        self.away.pop(old.session, None)
        if but is None and old.role in self._of_role:
            del self._of_role[old.role][old.session]
        if old.role == "worker" and (but is None or but.agent != old.agent):
            siblings = self._of_agent[old.agent]
            del siblings[old.session]
            if not siblings:
                del self._of_agent[old.agent]

    @property
    def usable(self) -> int:
        """How many workers are connected."""
        return len(self.workers) - len(self.away)

    def lose(self, peer: Peer, now: float) -> None:
        """A session cannot be reached."""
        peer.connected = False
        peer.lost_at = now
        if peer.role == "worker":
            self.away[peer.session] = peer

    def others_with_parents(self, peer: Peer) -> Iterator[Peer]:
        """Yield those beside this one that are connected and run user code."""
        for other in self.values():
            if other.connected and other.role in WITH_PARENTS and other is not peer:
                yield other

    def of_agent(self, agent: bytes) -> list[Peer]:
        """Return the workers that an agent answers for."""
        return list(self._of_agent.get(agent, {}).values())

    def unanswered_for(self) -> list[Peer]:
        """Return the workers whose agents are not here."""
        missing = [agent for agent in self._of_agent if agent and agent not in self]
        return [peer for agent in missing for peer in self._of_agent[agent].values()]
