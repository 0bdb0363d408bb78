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
_send: Final[Any] = Socket.send  # without the layers that pyzmq has above them
_receive: Final[Any] = Socket.recv


def send(socket: zmq.Socket[Any], frames: Sequence[Buffer], *, copy: bool = True) -> None:
    """Send a message.

    Raises
    ------
    zmq.ZMQError
        Nothing was sent: `zmq.Again` while there is no room, or nobody.
    """
    last = len(frames) - 1
    for at, frame in enumerate(frames):
        _send(socket, frame, _MORE_NOW if at < last else _NOW, copy)


def receive(socket: zmq.Socket[Any]) -> list[zmq.Frame]:
    """Return the frames of the next message.

    Raises
    ------
    zmq.Again
        There is none now.
    """
    frame: Any = _receive(socket, _NOW, False)
    frames = [frame]
    while frame.more:
        frame = _receive(socket, _NOW, False)
        frames.append(frame)
    return frames
