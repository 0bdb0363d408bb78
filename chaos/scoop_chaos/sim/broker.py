"""The broker's process: the product's core and driver on a simulated journal and network."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from scoop_journal import JournalBroken

from scoop_ft.broker.core import Broker
from scoop_ft.broker.routes import Routes
from scoop_ft.broker.server import Server
from scoop_ft.errors import ProtocolError
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_from_peer, encode

from .network import Conn, Parcel

if TYPE_CHECKING:
    from .world import World

INCARNATION = b"incarnation"
GATHER_FROM = 2  # records of results: the simulator's batches are small
PLACE_FROM = 0  # always: its runs are not resumed so often that it would be worth it
LOOK_S = 0.00005  # from a message's arrival to the look at it


class SimSockets:
    """What `scoop_ft.broker.sockets.Sockets` is to a real broker."""

    def __init__(self, world: World) -> None:
        self.bad_messages = 0
        self.inbox: deque[tuple[Conn, Parcel]] = deque()
        self._world = world
        self._routes: Routes[Conn] = Routes()

    def receive(self) -> tuple[bytes, Any, bytes, list[bytes]] | None:
        """Return the next message: session, message, header, frames; None when there is none."""
        checks = self._world.checks
        checks.handled()
        while self.inbox:
            conn, (header, frames) = self.inbox.popleft()
            if not header:
                if self._routes.anew(conn):
                    self._send(conn, wire.Unknown(), ())
                continue
            try:
                message = decode_from_peer(header, frames)
            except ProtocolError:
                self.bad_messages += 1
                continue
            hello = type(message) is wire.Hello
            if hello and not self._routes.meet(conn, message.session, message.connection):
                continue
            session = self._routes.session(conn)
            if session is None:
                self._send(conn, wire.Unknown(), ())
                continue
            self._world.trace.message(session, "broker", message, conn)
            checks.received(session, message)
            self._world.witness.received(session, message)
            self._world.owed.comes(session, message, conn)
            return session, message, header, frames
        return None

    def send(self, session: bytes, message: wire.Message, frames: Sequence[Any]) -> bool:
        """Send to a session; False when it cannot be reached."""
        conn = self._routes.route(session)
        if conn is None:
            return False
        self._world.checks.sends(session, message)
        self._world.witness.sends(session, message, frames)
        trace = self._world.trace
        trace.message(b"broker", trace.name_of(session), message, conn)
        if self._send(conn, message, frames):
            return True
        self._routes.lose(session)
        return False

    def forget_all_but(self, sessions: Container[bytes]) -> None:
        """Forget the connections of sessions that the broker knows no more."""
        self._routes.forget_all_but(sessions)

    def _send(self, conn: Conn, message: wire.Message, frames: Sequence[Any]) -> bool:
        parcel = encode(message), [bytes(frame) for frame in frames]
        return self._world.network.send_down(conn, parcel, self._world.journal.syncing_until)


class SimServer(Server):
    """The driver, watched while it does what is due because time has passed."""

    world: World

    def _tick(self, now: float) -> None:
        before = self.world.witness.looks()
        super()._tick(now)
        self.world.witness.looked(now, before)


class SimBroker:
    """One broker's process.

    While it waits for a sync it looks at nothing, and what it sends after that leaves after that.
    """

    def __init__(self, world: World, *, resume: bool) -> None:
        self.world = world
        self.alive = True
        self.frozen = False
        self.pace = 1.0  # how much rarer than needed it looks at the time
        self._missed = False
        self._due = -1.0
        journal = world.journal
        number = int(journal.blob(INCARNATION) or b"0") + 1
        journal.put_blob(INCARNATION, str(number).encode())
        self.core = Broker(
            journal, "a-run", {"seed": 7}, max_attempts=world.plan.max_attempts, incarnation=number,
            gather_from=GATHER_FROM, place_from=PLACE_FROM,
            stale_results="keep",  # each root sets a constant of its own
        )  # fmt: skip
        self.core.recover(
            journal.scan(payloads=False), resume=resume and number > 1, now=world.broker_time()
        )
        self.sockets = SimSockets(world)
        self.server = SimServer(self.core, journal, self.sockets, world.broker_time)  # type: ignore[arg-type]
        self.server.world = world
        self.server.commit()
        world.network.listen(self)
        self._at(world.clock.now)

    def arrived(self, conn: Conn, parcel: Parcel) -> None:
        """Take in a message; it is looked at when there is time."""
        self.sockets.inbox.append((conn, parcel))
        self._at(max(self.world.clock.now + LOOK_S, self.world.journal.syncing_until))

    def _at(self, when: float) -> None:
        if self._due < 0 or when < self._due:
            self._due = when
            self.world.clock.at(when, lambda: self._step(when))

    def _step(self, when: float) -> None:
        if not self.alive or when != self._due:
            return
        self._due = -1.0
        if self.frozen:
            self._missed = True
            return
        world = self.world
        try:
            self.server.step(world.broker_time())
            world.checks.stepped()
        except JournalBroken as error:
            world.broker_failed(error)
            return
        except Exception as error:  # noqa: BLE001 - whatever ends a broker is a defect
            world.defect("broker", error)
            return
        patience = self.server.patience_s() * self.pace
        self._at(max(world.clock.now + patience, world.journal.syncing_until))

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self.frozen = False
        if self._missed:
            self._missed = False
            self._at(self.world.clock.now)

    def end(self) -> None:
        """SIGTERM: it commits, and ends."""
        try:
            self.server.commit()
        except JournalBroken as error:
            self.world.trace("broker", "fails", str(error))
        self.world.journal.syncing_until = self.world.clock.now

    def kill(self) -> None:
        """It is gone at once; so is what was not synced."""
        self.alive = False
        world = self.world
        if world.clock.now < world.journal.syncing_until and world.flip():
            world.journal.undo()
        world.journal.crash()
        world.network.broker_died()
