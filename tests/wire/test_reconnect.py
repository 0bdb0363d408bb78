"""A connection that ØMQ makes anew by itself: what was lost with the old one is not hidden."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from scoop_ft.broker.sockets import Sockets
from scoop_ft.client.connection import Connection, dealer
from scoop_ft.wire import messages as wire

from ..waiting import eventually


class Wire:
    """Carries bytes between two unix sockets until it is cut."""

    def __init__(self, front: Path, back: Path) -> None:
        self._back = str(back)
        self._ends: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(front))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._back)
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := source.recv(65536):
                target.sendall(data)

    def cut(self) -> None:
        """Break what is connected now."""
        ends, self._ends = self._ends, []
        for end in ends:
            end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self.cut()
        self._listener.close()


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Sockets, Wire, Connection]]:
    sockets = Sockets([f"ipc://{tmp_path}/b"])
    line = Wire(tmp_path / "f", tmp_path / "b")
    connection = Connection(lambda: f"ipc://{tmp_path}/f", lambda: None)
    connection.open()
    yield sockets, line, connection
    connection.close()
    line.close()
    sockets.close()


def test_who_did_not_notice_that_its_connection_broke_is_told(
    ends: tuple[Sockets, Wire, Connection],
) -> None:
    sockets, line, connection = ends

    def heard() -> Any:
        connection.receive()  # what waits for the connection leaves
        return sockets.receive()

    hello = wire.Hello(wire.PROTOCOL_VERSION, bytes(8), "worker", "h", 1, b"", [], [], 1)
    connection.send(hello)
    assert eventually(heard)[1] == hello
    connection.send(wire.Idle(1))
    assert eventually(heard)[1] == wire.Idle(1)
    line.cut()
    # It does not look at the end of its connection here: it was stopped, or is in a long call.
    connection.send(wire.Idle(2))

    def told() -> Any:
        late = sockets.receive()
        assert late is None, f"{late[1]} was taken in, whatever was lost before it"
        return connection.receive()

    assert type(eventually(told)[0]) is wire.Unknown


def test_who_waits_for_a_broker_over_a_network_does_not_hammer_its_machine() -> None:
    with socket.socket() as nobody:  # bound, and nobody listens
        nobody.bind(("127.0.0.1", 0))
        context = zmq.Context()
        waits = dealer(context, address := f"tcp://127.0.0.1:{nobody.getsockname()[1]}")
        tries = waits.get_monitor_socket(zmq.EVENT_CONNECT_RETRIED)
        waits.connect(address)
        soon = _count(tries, 0.2)
        later = _count(tries, 2.0)
        waits.disable_monitor()
        context.destroy(0)
    assert soon >= 3  # a broker that is started again is found at once
    assert later <= 10


def _count(events: zmq.Socket[bytes], seconds: float) -> int:
    count, until = 0, time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if events.poll(left * 1000):
            events.recv_multipart()
            count += 1
    return count
