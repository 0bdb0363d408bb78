"""How the parts of a message go to a socket and come from it, with as little as that takes.

What has come is asked for first, for an exception costs more; and flags are plain numbers, for
each `|` of ØMQ's own is a dozen calls.  Moves frames; knows no message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import zmq

from .frames import Buffer

_READABLE: Final = int(zmq.POLLIN)
_AT_ONCE: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.DONTWAIT | zmq.SNDMORE)


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


def send(socket: zmq.Socket[bytes], parts: Sequence[Buffer], *, copy: bool = True) -> None:
    """Send a message of these parts, at least one; raises what ØMQ raises, with nothing sent."""
    for part in parts[:-1]:
        socket.send(part, _MORE, copy=copy)
    socket.send(parts[-1], _AT_ONCE, copy=copy)
