"""How the parts of a message are taken from a socket: asked for first, for an exception costs more.

Moves frames; knows no message.
"""

from __future__ import annotations

from typing import Any, Final

import zmq

_READABLE: Final = int(zmq.POLLIN)
_AT_ONCE: Final = int(zmq.DONTWAIT)


def is_readable(socket: zmq.Socket[bytes]) -> bool:
    """Has a message come?"""
    return bool(int(socket.get(zmq.EVENTS)) & _READABLE)


def receive(socket: zmq.Socket[bytes]) -> list[Any] | None:
    """Return the parts of the next message, as ØMQ holds them; None when there is none now."""
    if not is_readable(socket):
        return None
    try:
        parts: list[Any] = [socket.recv(_AT_ONCE, copy=False)]
        while parts[-1].more:
            parts.append(socket.recv(_AT_ONCE, copy=False))
    except zmq.Again:
        return None
    return parts
