"""A link on real sockets: what a look at the socket takes in, and what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from scoop_ft.client.connection import Connection
from scoop_ft.client.link import Link
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_from_peer, encode
from scoop_ft.worker.session import WorkerSession

SESSION = b"a worker"
WELCOME = wire.Welcome("a-run", 1, {})


class Broker:
    """The other end: a ROUTER that says what it is told to."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.bind(endpoint)
        self._peer = b""

    def hear(self, within_s: float = 10.0) -> list[Any]:
        """Return what has come, once something has."""
        heard: list[Any] = []
        while self._router.poll(0 if heard else within_s * 1000):
            self._peer, *frames = self._router.recv_multipart()
            if frames != [b""]:
                heard.append(decode_from_peer(frames[0], frames[1:]))
        return heard

    def say(self, message: Any, *frames: bytes) -> None:
        self._router.send_multipart([self._peer, encode(message), *frames])

    def close(self) -> None:
        self._router.close(0)
        self._context.term()


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Broker, Link, list[float]]]:
    """A broker, a link that is welcome there, and when it has turned to what is to be said."""
    endpoint, flushed = f"ipc://{tmp_path}/b", []
    broker = Broker(endpoint)
    session = WorkerSession(SESSION, "here", b"")
    link = Link(session, Connection(lambda: endpoint, lambda: None), lambda: flushed.append(0.0))
    link.tick_s = 3600.0  # the helper stays out of it
    link.start()
    link.pump(0.2)
    assert [type(m) for m in broker.hear()] == [wire.Hello]
    broker.say(WELCOME)
    while not session.welcomed:
        link.pump(0.1)
    flushed.clear()
    try:
        yield broker, link, flushed
    finally:
        link.close()
        broker.close()


def look_until(link: Link, has_come: Any) -> None:
    until = time.monotonic() + 10
    while not has_come():
        assert time.monotonic() < until
        link.look()


def test_a_look_takes_in_what_has_come_and_leaves_the_rest_for_its_time(ends: Any) -> None:
    broker, link, flushed = ends
    broker.say(wire.Const("a constant", []), b"its pickle")
    look_until(link, lambda: link.session.consts)
    assert not flushed
    batch = bytes(16)
    broker.say(wire.Drop(0, [(batch, 0, 1)]))
    look_until(link, lambda: link.session.outbox)
    assert not flushed, "nobody waits for the answer"
    link.pump()
    assert broker.hear() == [wire.Returned(0, [], True)]


def test_a_look_says_what_somebody_waits_for(ends: Any) -> None:
    broker, link, flushed = ends
    broker.say(wire.Recall(5))
    look_until(link, lambda: flushed)
    assert broker.hear() == [wire.Returned(5, [])]


def test_a_link_that_was_closed_connects_no_more(tmp_path: Path) -> None:
    """Its helper thread may be about to look after it, for the last time."""
    session = WorkerSession(SESSION, "here", b"an agent")
    link = Link(session, Connection(lambda: f"ipc://{tmp_path}/nobody", lambda: None), lambda: None)
    link.start()
    link.close()
    session.reconnect = True  # nobody has answered
    link.pump(0.0)
    assert session.connections == 1
