"""The driver takes in no more at a time than it commits at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from typing import Any

from scoop_journal import MemoryJournal

from scoop_ft.broker.core import Broker
from scoop_ft.broker.server import COMMIT_BYTES, Server
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, batch_id
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import encode
from scoop_ft.wire.frames import Buffer

from .made_up import FUNCTION, packed_ends

MB = 1 << 20
CALLS = 40
SESSION = bytes(8)


class Waiting:
    """Sockets at which messages wait."""

    bad_messages = 0

    def __init__(self) -> None:
        self.inbox: deque[tuple[Any, list[Buffer]]] = deque()
        self.sent: list[Any] = []

    def receive(self) -> tuple[bytes, Any, bytes, list[Buffer]] | None:
        if not self.inbox:
            return None
        message, frames = self.inbox.popleft()
        return SESSION, message, encode(message), frames

    def send(self, session: bytes, message: wire.Message, frames: Sequence[Buffer]) -> bool:
        self.sent.append(message)
        return True

    def forget_all_but(self, sessions: Container[bytes]) -> None:
        return


def test_what_is_not_committed_stays_small_however_much_has_come() -> None:
    sockets, journal = Waiting(), MemoryJournal("a-run")
    server = Server(Broker(journal, "a-run"), journal, sockets, lambda: 1.0)
    hello = wire.Hello(wire.PROTOCOL_VERSION, SESSION, "root", "host", 1, b"", [], [])
    sockets.inbox.append((hello, []))
    sockets.inbox.append((wire.Define(1, FUNCTION, "f"), [b"a function"]))
    argument = bytes(MB)
    for number in range(CALLS):
        submit = wire.Submit(
            2 + number, batch_id(SESSION, 1 + number), ROOT_ID, ROOT_LINEAGE, number, 1,
            [FUNCTION], b"", packed_ends([argument]), [], [], False,
        )  # fmt: skip
        sockets.inbox.append((submit, [argument]))
    before = len(sockets.inbox)
    steps = 0
    while sockets.inbox:
        server.step(1.0)
        steps += 1
        taken, before = before - len(sockets.inbox), len(sockets.inbox)
        assert taken * MB <= COMMIT_BYTES + 3 * MB
        assert journal.staged_bytes < COMMIT_BYTES
    assert steps >= CALLS * MB // COMMIT_BYTES
    server.commit()
    assert wire.Ack(1 + CALLS) in sockets.sent
