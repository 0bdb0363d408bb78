"""The agent's (or an observer's) connection to the broker: a socket, and a watch on it.

Moves messages and reports the end of the connection; says nothing by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import zmq

from ..errors import ProtocolError
from ..rundir import Keys
from ..wire.codec import decode_from_broker, encode
from ..wire.messages import Message

RECONNECT_MS = 20
_ENDS = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class Connection:
    """One DEALER at a time; `open` makes a new one, with an identity nobody had before."""

    def __init__(self, endpoint: Callable[[], str], keys: Callable[[], Keys | None]) -> None:
        self._endpoint = endpoint
        self._keys = keys
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What to poll for reading."""
        return [s for s in (self._socket, self._monitor) if s is not None]

    def open(self) -> None:
        """Begin anew.  It connects as soon as there is a broker."""
        self._shut()
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, 0)  # never finite: libzmq 4.3.5 may abort on it with heartbeats
        socket.set(zmq.SNDHWM, 0)
        socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.set(zmq.ROUTING_ID, b"\x01" + os.urandom(15))
        keys = self._keys()
        endpoint = self._endpoint()
        if endpoint.startswith("tcp:") and keys is not None:
            socket.curve_publickey = keys.public.encode()
            socket.curve_secretkey = keys.secret.encode()
            socket.curve_serverkey = keys.server.encode()
        self._monitor = socket.get_monitor_socket(_ENDS)
        self._socket = socket
        socket.connect(endpoint)

    def send(self, message: Message) -> None:
        """Send a message; without a broker it waits for one."""
        if self._socket is not None:
            self._socket.send(encode(message), zmq.DONTWAIT)

    def receive(self) -> Any | None:
        """Return the next message; None when there is none now.  What is malformed is left out."""
        while self._socket is not None:
            try:
                header, *frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return None
            try:
                return decode_from_broker(header, frames)
            except ProtocolError:
                continue
        return None

    def ended(self) -> bool:
        """Tell whether the connection that was open has ended."""
        ended = False
        while self._monitor is not None:
            try:
                self._monitor.recv_multipart(zmq.DONTWAIT)
                ended = True
            except zmq.Again:
                break
        return ended

    def _shut(self) -> None:
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(0)
        self._socket = self._monitor = None

    def close(self) -> None:
        """Close everything, at once."""
        self._shut()
        self._context.destroy(0)
