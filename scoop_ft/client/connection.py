"""A connection to the broker: one DEALER at a time, and a watch on it.

Moves frames and reports the end of the connection; says nothing by itself.  A new connection is a
new socket with an identity nobody had before, so that nothing queued for an old one gets through.

ØMQ makes a broken connection anew by itself, under the same identity, maybe before anybody here has
looked.  So that what follows cannot hide what was lost, what was queued is lost with the connection
(IMMEDIATE), and the broker is told of each new one by an empty message (PROBE_ROUTER).

What has come and was not read is lost with it, too, and a broker says its last word just before it
ends: who must not miss that does without IMMEDIATE.  What it had said and was not sent yet is not
taken in then, since the broker wants a hello on each connection first.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from ..errors import ProtocolError, RunError
from ..rundir import Keys
from ..wire import probes
from ..wire.codec import decode_from_broker, encode
from ..wire.frames import LARGE, Buffer
from ..wire.messages import Message
from ..wire.parts import is_readable, receive, send

RECONNECT_MS = 10  # a run's beginning waits for it; ØMQ adds up to as much again
RECONNECT_MOST_MS = 500  # over a network: of thousands that wait for a broker, each would try 70/s
_ENDS = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_BEGINS = zmq.EVENT_HANDSHAKE_SUCCEEDED


def dealer(
    context: zmq.Context[Any], endpoint: str, *, keep_unread: bool = False
) -> zmq.Socket[bytes]:
    """Make a socket as every peer has one, with an identity nobody had before.

    ``keep_unread``: what has come can be read when the connection has ended.  The kernel finds out
    that a machine is cut off, and that a process here has died.
    """
    socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    for option, value in (
        (zmq.LINGER, 0),
        (zmq.RCVHWM, 0),
        (zmq.SNDHWM, 0),
        (zmq.RECONNECT_IVL, RECONNECT_MS),
        (zmq.IMMEDIATE, int(not keep_unread)),
        (zmq.PROBE_ROUTER, 1),
        *probes.options(endpoint),
        *(((zmq.RECONNECT_IVL_MAX, RECONNECT_MOST_MS),) if endpoint.startswith("tcp:") else ()),
    ):
        socket.set(option, value)
    socket.set(zmq.ROUTING_ID, b"\x01" + os.urandom(15))
    return socket


class Connection:
    """The socket of a root, a worker, an agent or an observer.

    Parameters
    ----------
    endpoint, keys : callables
        Asked at each `open`, since a restarted broker may be found elsewhere.  Where the address
        cannot be read any more, the one before counts: the launcher says that its broker is gone.
    keep_unread : bool
        What has come can be read when the connection has ended.

    Attributes
    ----------
    copies : bool
        Large frames are copied, too: what sends them without a copy is gone once pyzmq's own exit
        function has been called.
    """

    def __init__(
        self,
        endpoint: Callable[[], str],
        keys: Callable[[], Keys | None],
        *,
        keep_unread: bool = False,
    ) -> None:
        self.copies = False
        self._keep_unread = keep_unread
        self._endpoint = endpoint
        self._keys = keys
        self._known = ""  # the address, as it was last read
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._waiting: deque[tuple[Message, Sequence[Buffer]]] = deque()  # until it is connected

    @property
    def monitor(self) -> zmq.Socket[bytes] | None:
        """What is readable when the connection has begun or ended."""
        return self._monitor

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What to poll for reading."""
        return [s for s in (self._socket, self._monitor) if s is not None]

    def poll(self, seconds: float) -> None:
        """Wait until there is something to receive, or the connection begins or ends."""
        poller = zmq.Poller()
        for each in self.sockets:
            poller.register(each, zmq.POLLIN)
        poller.poll(int(seconds * 1000) + 1)

    def address(self) -> str:
        """Return where the broker is, as far as it is known."""
        try:
            self._known = self._endpoint()
        except RunError:
            if not self._known:
                raise
        return self._known

    def open(self) -> None:
        """Begin anew.  It connects as soon as there is a broker."""
        self._shut()
        endpoint = self.address()
        socket = dealer(self._context, endpoint, keep_unread=self._keep_unread)
        if endpoint.startswith("tcp:"):
            keys = self._keys()
            if keys is not None:
                socket.curve_publickey = keys.public.encode()
                socket.curve_secretkey = keys.secret.encode()
                socket.curve_serverkey = keys.server.encode()
        self._monitor = socket.get_monitor_socket(_ENDS | _BEGINS)
        self._socket = socket
        socket.connect(endpoint)

    def send(self, message: Message, frames: Sequence[Buffer] = ()) -> None:
        """Send a message; without a broker it waits for one."""
        if self._socket is None:
            return
        if self._waiting or not self._try_to_send(self._socket, message, frames):
            self._waiting.append((message, frames))

    def _try_to_send(
        self, socket: zmq.Socket[bytes], message: Message, frames: Sequence[Buffer]
    ) -> bool:
        header = encode(message)
        large = any(len(frame) >= LARGE for frame in frames)
        try:
            send(socket, [header, *frames], copy=self.copies or not large)
        except zmq.Again:
            return False
        return True

    def readable(self) -> bool:
        """Has something come?"""
        return self._socket is not None and is_readable(self._socket)

    def receive(self) -> tuple[Any, list[Buffer]] | None:
        """Return the next message and its frames; None when there is none now.

        What is malformed is left out.
        """
        while self._socket is not None:
            while self._waiting and self._try_to_send(self._socket, *self._waiting[0]):
                self._waiting.popleft()
            found = receive(self._socket)
            if found is None:
                return None
            header, *rest = found
            frames: list[Buffer] = [f.bytes if len(f) < LARGE else f.buffer for f in rest]
            try:
                return decode_from_broker(header.bytes, frames), frames
            except ProtocolError:
                continue
        return None

    def ended(self) -> bool:
        """Tell whether the connection that was open has ended."""
        ended = False
        while self._monitor is not None and (event := receive(self._monitor)) is not None:
            ended = ended or bool(int.from_bytes(event[0].bytes[:2], sys.byteorder) & _ENDS)
        return ended

    def _shut(self) -> None:
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(0)
        self._socket = self._monitor = None
        self._waiting.clear()

    def close(self) -> None:
        """Close everything, at once."""
        self._shut()
        self._context.destroy(0)
