"""Workers that come and go for weeks leave nothing behind at the broker's sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from scoop_journal import MemoryJournal

from scoop_ft.broker.core import Broker
from scoop_ft.broker.server import REAP_S, Server
from scoop_ft.broker.sockets import Sockets
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import encode

WORKERS = 20
LIMIT_S = 20.0
AGENT = b"an agent"


class Site:
    """A broker with real sockets and a clock of its own, and who speaks with it."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"ipc://{folder}/sock"
        self.sockets = Sockets([self.endpoint])
        journal = MemoryJournal("a-run")
        self.broker = Broker(journal, "a-run")
        self.now = 1.0
        self.server = Server(self.broker, journal, self.sockets, lambda: self.now)
        self.context = zmq.Context()

    def say(
        self, *messages: wire.Message, to: zmq.Socket[bytes] | None = None
    ) -> zmq.Socket[bytes]:
        socket = to or self.context.socket(zmq.DEALER)
        if to is None:
            socket.connect(self.endpoint)
        for message in messages:
            socket.send(encode(message))
        return socket

    def until(self, so: Callable[[], bool]) -> None:
        """Let the broker take in what has come, until something is so."""
        deadline = time.monotonic() + LIMIT_S
        while not so():
            assert time.monotonic() < deadline
            self.server.step(self.now)
            time.sleep(0.005)

    def close(self) -> None:
        self.context.destroy(0)
        self.sockets.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    yield found
    found.close()


def hello(session: bytes, role: str, agent: bytes = b"") -> wire.Hello:
    return wire.Hello(wire.PROTOCOL_VERSION, session, role, "host", 1, agent, [], [], 1)


def test_the_connections_of_workers_that_are_gone_are_forgotten(site: Site) -> None:
    peers = site.broker.peers
    agent = site.say(hello(AGENT, "agent"))
    stays = site.say(hello(bytes(8), "worker", AGENT))
    sessions = [bytes([1 + number]) * 8 for number in range(WORKERS)]
    for number, session in enumerate(sessions):
        worker = site.say(hello(session, "worker", AGENT))
        site.until(lambda session=session: session in peers)  # type: ignore[misc]
        worker.close(0)
        site.say(wire.Gone(1 + number, session, 1, 0, 9, b"", ""), to=agent)
        site.until(lambda session=session: session not in peers)  # type: ignore[misc]
    site.now += REAP_S
    site.say(wire.Heartbeat([]), to=agent)
    site.server.step(site.now)
    assert site.sockets._routes.known() == {AGENT, bytes(8)}
    site.say(wire.Idle(0), to=stays)
    site.until(lambda: peers[bytes(8)].idle)
