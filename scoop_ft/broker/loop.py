"""The broker's life as a process: wait for messages, signals and time, and step the `Server`.

Nothing is decided here; what a step does is the server's business.
"""

from __future__ import annotations

import signal
import socket
import time
from typing import Any

import zmq

from .server import Server
from .sockets import Sockets


class Loop:
    """Steps a server until told to stop.

    Parameters
    ----------
    server : Server
    sockets : Sockets
        Those of the server.
    """

    def __init__(self, server: Server, sockets: Sockets) -> None:
        self._server = server
        self._sockets = sockets
        self._stop = False
        self._poller = zmq.Poller()
        for router in sockets.routers:
            self._poller.register(router, zmq.POLLIN)
        if sockets.zap is not None:
            self._poller.register(sockets.zap, zmq.POLLIN)
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)
        self._poller.register(self._wake.fileno(), zmq.POLLIN)

    def stop_on_signals(self) -> None:
        """Commit and end on SIGTERM and SIGINT (main thread only)."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        self._stop = True

    def run(self) -> None:
        """Serve until told to stop.

        Raises
        ------
        JournalBroken
            The disk failed: what was not acknowledged may be lost, and nothing else.
        """
        self._server.commit()  # what recovery has recorded; a full disk does not end it
        while not self._stop:
            self._poller.poll(int(self._server.patience_s() * 1000) + 1)
            if self._sockets.zap is not None:
                self._sockets.answer_zap()
            self._server.step(time.monotonic())
        self._server.commit()
        self._sockets.close()
