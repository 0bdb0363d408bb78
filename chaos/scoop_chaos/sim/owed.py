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

    def _violated(self, session: bytes, text: str) -> None:
        self._world.violated(9, f"{self._world.trace.name_of(session)} {text}")
