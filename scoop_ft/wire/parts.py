"""Frames through a ØMQ socket, all those of a message in one call; never blocks.

pyzmq's own calls for this spend several times as long in Python, on each frame, as ØMQ itself does:
what a broker does for its peers is for the most part this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import zmq
from zmq.backend import Socket

from .frames import Buffer

_NOW: Final = int(zmq.DONTWAIT)
_MORE_NOW: Final = int(zmq.DONTWAIT) | int(zmq.SNDMORE)
_READABLE: Final = int(zmq.POLLIN)
_send: Final[Any] = Socket.send  # without the layers that pyzmq has above them
_receive: Final[Any] = Socket.recv


def send(
    socket: zmq.Socket[Any], frames: Sequence[Buffer | zmq.Frame], *, copy: bool = True
) -> None:
    """Send a message.

    Raises
    ------
    zmq.ZMQError
        Nothing was sent: `zmq.Again` while there is no room, or nobody.
    """
    last = len(frames) - 1
    for at, frame in enumerate(frames):
        _send(socket, frame, _MORE_NOW if at < last else _NOW, copy)


def is_readable(socket: zmq.Socket[Any]) -> bool:
    """Has a message come?"""
    return bool(int(socket.get(zmq.EVENTS)) & _READABLE)


def receive(socket: zmq.Socket[Any], *, expected: bool = False) -> list[Any] | None:
    """Return the frames of the next message; None when there is none now.

    It is asked for first, which costs as much as to take it, and less than the exception that there
    is where none has come: so not where one is ``expected``.
    """
    if not expected and not is_readable(socket):
        return None
    try:
        frames: list[Any] = [_receive(socket, _NOW, False)]
        while frames[-1].more:
            frames.append(_receive(socket, _NOW, False))
    except zmq.Again:
        return None
    return frames
