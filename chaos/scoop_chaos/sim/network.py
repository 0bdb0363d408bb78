"""Connections as ØMQ and TCP make them: ordered, until they break; then a part is lost.

A connection is a DEALER socket.  Its present pipe is what TCP gave it: messages arrive in order,
each some time after the one before; a pipe that breaks loses what was under way from some point on.
The socket makes a new pipe under the same name by itself, before its owner has noticed anything.
Partitions and delays belong to machines.  Nothing here looks into messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from .clock import Clock

HEARTBEAT_TIMEOUT_S = 2.0  # a pipe on which nothing comes for so long is given up
RECONNECT_S = 0.02

Parcel = tuple[bytes, list[bytes]]
PROBE: Parcel = (b"", [])  # what ØMQ sends first on each pipe, where it is asked to


class Listener(Protocol):
    """The broker's side."""

    def arrived(self, connection: Conn, parcel: Parcel) -> None:
        """Take in a message."""


class Pipe:
    """One TCP connection; `kept` says how many messages of each direction still arrive."""

    __slots__ = (
        "came_down", "came_up", "drops", "kept_down", "kept_up", "known", "lag", "last_down",
        "last_up", "leaves", "listener", "sent_down", "sent_up",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.known = True  # to the broker's side: it can be written to
        self.drops = False  # half open: all is lost
        self.sent_up = self.sent_down = 0
        self.came_up = self.came_down = 0
        self.kept_up = self.kept_down = 1 << 30
        self.last_up = self.last_down = 0.0
        self.leaves: list[float] = []  # when the last messages down are really sent
        self.lag = 0.0  # what is still under way comes so much later

    def unsent(self, now: float) -> int:
        """Return how many messages down wait for a sync."""
        return sum(1 for time in self.leaves if time > now)


class Conn:
    """A DEALER socket and its present pipe."""

    def __init__(self, number: int, host: str, wake: Callable[[], None]) -> None:
        self.number = number
        self.host = host
        self.wake = wake
        self.inbox: deque[Parcel] = deque()
        self.waiting: deque[Parcel] = deque()  # until there is a pipe
        self.pipe: Pipe | None = None
        self.ended = False
        self.closed = False

    def __repr__(self) -> str:
        return f"c{self.number}"

    def is_quiet(self) -> bool:
        """Is nothing under way, and has all that came been read here?"""
        pipe = self.pipe
        return not (
            pipe is None
            or self.inbox
            or self.waiting
            or pipe.sent_up != pipe.came_up
            or pipe.sent_down != pipe.came_down
        )


class Network:
    """All connections to the one broker.

    Parameters
    ----------
    clock : Clock
    rng : Random
    latency : float
        The usual seconds a message takes.
    """

    def __init__(self, clock: Clock, rng: Random, latency: float) -> None:
        self._clock = clock
        self._rng = rng
        self._latency = latency
        self._numbers = 0
        self.listener: Listener | None = None
        self.conns: list[Conn] = []
        self.cut_up: dict[str, float] = {}  # host -> until when nothing goes up
        self.cut_down: dict[str, float] = {}
        self.delay: dict[str, tuple[float, float]] = {}  # host -> (seconds, until)
        self.outlive = 0.0  # how long old connections may outlive new ones

    # ---- the peer's side -------------------------------------------------------------------

    def open(self, host: str, wake: Callable[[], None]) -> Conn:
        """Make a socket; it connects as soon as it can."""
        self._numbers += 1
        conn = Conn(self._numbers, host, wake)
        self.conns.append(conn)
        self._connect_soon(conn, self._rng.random() * self._latency)
        return conn

    def close(self, conn: Conn) -> None:
        """Its owner closes it, or dies: what is under way may still arrive, or a part of it."""
        if conn.closed:
            return
        conn.closed = True
        conn.waiting.clear()
        self.conns.remove(conn)
        pipe = conn.pipe
        if pipe is None:
            return
        if self._rng.random() < 0.5:
            pipe.kept_up = self._rng.randint(0, pipe.sent_up)
        pipe.lag = self._rng.random() * self.outlive
        self._clock.after(self._rng.random() * 0.01, lambda: self._forget(pipe))

    def send_up(self, conn: Conn, parcel: Parcel) -> None:
        """A peer sends; without a pipe the message waits in the socket."""
        if conn.closed:
            return
        if conn.pipe is None:
            conn.waiting.append(parcel)
            return
        pipe = conn.pipe
        pipe.sent_up += 1
        number = pipe.sent_up
        when = max(pipe.last_up, self._arrival(conn.host, self.cut_up))
        pipe.last_up = when
        self._clock.at(when, lambda: self._arrive_up(conn, pipe, number, parcel))

    # ---- the broker's side -----------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """A broker is there: those who wait for one connect."""
        self.listener = listener
        for conn in self.conns:
            self._connect_soon(conn, self._rng.random() * 2 * RECONNECT_S)

    def broker_died(self) -> None:
        """Its end closes all pipes."""
        self.listener = None
        for conn in list(self.conns):
            pipe = conn.pipe
            if pipe is not None:
                self.lose(conn, notice=self._rng.random() * 0.005)
                pipe.kept_down = min(pipe.kept_down, pipe.sent_down - pipe.unsent(self._clock.now))

    def send_down(self, conn: Conn, parcel: Parcel, leaves: float) -> bool:
        """The broker sends; False when it knows that there is no connection."""
        pipe = conn.pipe
        if pipe is None or not pipe.known:
            return False
        pipe.sent_down += 1
        number = pipe.sent_down
        pipe.leaves = [*(t for t in pipe.leaves if t > self._clock.now), leaves]
        when = max(pipe.last_down, leaves, self._arrival(conn.host, self.cut_down))
        pipe.last_down = when
        self._clock.at(when, lambda: self._arrive_down(conn, pipe, number, parcel))
        return True

    # ---- what goes wrong -------------------------------------------------------------------

    def lose(self, conn: Conn, notice: float, *, late_notice: float = 0.0) -> None:
        """A pipe breaks: a part of what is under way is lost, and both sides notice, some time."""
        pipe = conn.pipe
        if pipe is None:
            return
        conn.pipe = None
        pipe.kept_up = self._rng.randint(0, pipe.sent_up)
        pipe.kept_down = self._rng.randint(0, pipe.sent_down)
        self._clock.after(late_notice, lambda: self._forget(pipe))
        self._clock.after(notice, lambda: self._end(conn))
        self._connect_soon(conn, RECONNECT_S * (1 + self._rng.random()))

    def half_open(self, conn: Conn) -> None:
        """Nothing gets through a pipe any more, and for a while nobody notices."""
        pipe = conn.pipe
        if pipe is None:
            return
        pipe.drops = True
        self._clock.after(HEARTBEAT_TIMEOUT_S, lambda: self._give_up(conn, pipe))

    def cut(self, host: str, seconds: float, *, up: bool, down: bool) -> None:
        """Nothing gets from or to a machine for some time."""
        until = self._clock.now + seconds
        if up:
            self.cut_up[host] = until
        if down:
            self.cut_down[host] = until
        if seconds > HEARTBEAT_TIMEOUT_S:
            for conn in [c for c in self.conns if c.host == host]:
                pipe = conn.pipe
                when = HEARTBEAT_TIMEOUT_S + self._rng.random() * 0.5
                if pipe is not None:
                    self._clock.after(when, lambda c=conn, p=pipe: self._give_up(c, p))  # type: ignore[misc]

    # ---- in between ------------------------------------------------------------------------

    def _arrival(self, host: str, cuts: dict[str, float]) -> float:
        now = self._clock.now
        seconds = self._latency * (0.5 + self._rng.random())
        slow = self.delay.get(host)
        if slow is not None and now < slow[1]:
            seconds += slow[0] * self._rng.random()
        until = cuts.get(host)
        return (max(now, until) if until is not None else now) + seconds

    def _connect_soon(self, conn: Conn, seconds: float) -> None:
        if self.listener is None or conn.closed or conn.pipe is not None:
            return
        cuts = max(self.cut_up.get(conn.host, 0.0), self.cut_down.get(conn.host, 0.0))
        when = max(self._clock.now, cuts) + seconds
        self._clock.at(when, lambda: self._connect(conn))

    def _connect(self, conn: Conn) -> None:
        if self.listener is None or conn.closed or conn.pipe is not None:
            return
        conn.pipe = Pipe(self.listener)
        self.send_up(conn, PROBE)
        while conn.waiting:
            self.send_up(conn, conn.waiting.popleft())

    def _arrive_up(self, conn: Conn, pipe: Pipe, number: int, parcel: Parcel) -> None:
        if pipe.lag:  # its owner is on a new connection by now
            self._clock.after(pipe.lag, lambda: self._deliver_up(conn, pipe, number, parcel))
        else:
            self._deliver_up(conn, pipe, number, parcel)

    def _deliver_up(self, conn: Conn, pipe: Pipe, number: int, parcel: Parcel) -> None:
        there = self.listener is not None and pipe.listener is self.listener
        if there and number <= pipe.kept_up and not pipe.drops:
            assert self.listener is not None
            pipe.came_up += 1
            self.listener.arrived(conn, parcel)

    def _arrive_down(self, conn: Conn, pipe: Pipe, number: int, parcel: Parcel) -> None:
        if number <= pipe.kept_down and not pipe.drops and not conn.closed:
            pipe.came_down += 1
            conn.inbox.append(parcel)
            conn.wake()

    def _give_up(self, conn: Conn, pipe: Pipe) -> None:
        if conn.pipe is pipe:
            self.lose(conn, notice=0.0)

    def _forget(self, pipe: Pipe) -> None:
        pipe.known = False

    def _end(self, conn: Conn) -> None:
        if not conn.closed:
            conn.ended = True
            conn.wake()


class Connection:
    """What `scoop_ft.client.connection.Connection` is, here."""

    def __init__(self, network: Network, host: str, wake: Callable[[], None]) -> None:
        self._network = network
        self._host = host
        self._wake = wake
        self.conn: Conn | None = None

    def open(self) -> None:
        """Begin anew."""
        self.close()
        self.conn = self._network.open(self._host, self._wake)

    def send(self, parcel: Parcel) -> None:
        """Send a message."""
        if self.conn is not None:
            self._network.send_up(self.conn, parcel)

    def receive(self) -> Any:
        """Return the next message; None when there is none now."""
        if self.conn is None or not self.conn.inbox:
            return None
        return self.conn.inbox.popleft()

    def has_news(self) -> bool:
        """Has something come, or ended?"""
        return self.conn is not None and (bool(self.conn.inbox) or self.conn.ended)

    def ended(self) -> bool:
        """Tell, once, whether the connection that was open has ended."""
        if self.conn is None or not self.conn.ended:
            return False
        self.conn.ended = False
        return True

    def close(self) -> None:
        """Close it."""
        if self.conn is not None:
            self._network.close(self.conn)
            self.conn = None
