"""What each end owes the other, and so must still have: looked at as it says and hears something.

`Witness` looks at what is said; this at what the one who says or hears it keeps, and where it is
heard.  Reads sessions, agents and connections; changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoop_ft.client.session import Session
from scoop_ft.wire import messages as wire
from scoop_ft.worker.session import WorkerSession

if TYPE_CHECKING:
    from scoop_ft.launch.agent import Agent

    from .network import Conn
    from .peers import SimWorker
    from .world import World


class Owed:
    """Watches what the processes of one world keep."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._least = 0  # what the one who hears a message must keep after it
        self._heard_on: dict[bytes, Conn] = {}  # session -> the connection of its last hello

    def hears(self, who: Session | Agent, message: Any) -> None:
        """Somebody is about to take a message of the broker in."""
        if type(message) is wire.Ack:
            self._least = sum(each.n > message.n for each in who._unacknowledged)
        elif type(message) is wire.Synced and isinstance(who, Session):
            self._least = who._synced + len(who._unsynced) - message.delivered

    def heard(self, who: Session | Agent, message: Any) -> None:
        """It has taken it in: what it does not cover is kept."""
        if type(message) is wire.Ack:
            left = len(who._unacknowledged)
        elif type(message) is wire.Synced and isinstance(who, Session):
            left = len(who._unsynced)
        else:
            return
        if left < self._least:
            self._violated(who.session, f"hears {message}, and forgets what that does not cover")

    def says(self, session: Session, message: Any) -> None:
        """A session says something: a hello names all that nobody else need run."""
        if type(message) is not wire.Hello or not isinstance(session, WorkerSession):
            return
        named = {(batch, i) for batch, a, z in message.holding for i in range(a, z)}
        for _, kept, _, _, _ in session._unacknowledged:
            if type(kept) is wire.Results:
                for a, z in kept.ranges:
                    if not named.issuperset((kept.batch, i) for i in range(a, z)):
                        self._violated(session.session, f"says {message}, and brings {kept}")
        claimed = session.queue._claimed
        if claimed is not None and claimed.span.closed is None:
            mine = ((claimed.span.batch, i) for i in range(claimed.next, claimed.stop))
            if not named.issuperset(mine):
                self._violated(session.session, f"says {message}, and is about to run {claimed}")

    def comes(self, session: bytes, message: Any, conn: Conn) -> None:
        """The broker hears a session on a connection: on no older one than its last hello's."""
        if type(message) is wire.Hello:
            self._heard_on[session] = conn
        elif self._heard_on.get(session, conn).number > conn.number:
            self._violated(session, f"is heard on {conn}, and is on {self._heard_on[session]}")

    # ---- when nothing is under way -----------------------------------------------------------

    def look(self) -> None:
        """What the broker counts on a worker for, that worker has."""
        for agent in self._world.agents():
            for worker in agent.workers.values():
                if self._is_settled(worker):
                    self._has_what_it_is_to_run(worker.session)

    def _is_settled(self, worker: SimWorker) -> bool:
        """Has each end heard all that the other has said, and nothing left to say?"""
        broker, session, conn = self._world.broker, worker.session, worker.link.connection.conn
        peer = broker.core.peers.get(session.session) if broker is not None else None
        if broker is None or peer is None or conn is None:
            return False
        if not (conn.is_quiet() and session.welcomed and peer.connected):
            return False
        unread = any(other is conn for other, _ in broker.sockets.inbox)
        unsaid = session.outbox or session.reconnect or peer.unsent or broker.core.outbox
        again = session.session in broker.core.refused  # when there is room, it says all anew
        return not (unread or unsaid or again or peer.unsettled or peer.leaving)

    def _has_what_it_is_to_run(self, session: WorkerSession) -> None:
        broker, silent = self._world.broker, session._silent
        assert broker is not None
        held = {(batch, i) for batch, a, z in session.holding() for i in range(a, z)}
        session._silent = silent  # to ask is to forget what counts no more
        for batch, a, z in broker.core.peers[session.session].held():
            lost = [i for i in range(a, z) if (batch, i) not in held]
            if lost:
                text = f"is counted on for {lost} of {batch.hex()}, and has nothing of it"
                self._violated(session.session, text, 15)

    def _violated(self, session: bytes, text: str, number: int = 9) -> None:
        self._world.violated(number, f"{self._world.trace.name_of(session)} {text}")
