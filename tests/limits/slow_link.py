"""A wire that carries so many bytes a second in each direction, between one port and another."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

PIECE = 65_536


class SlowLink:
    """Listens on a port of its own while it is open.

    Parameters
    ----------
    port : int
        Where what comes is carried to, on this host.
    rate : float
        Bytes a second in each direction.
    """

    def __init__(self, port: int, rate: float) -> None:
        self._port = port
        self._rate = rate
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while data := source.recv(PIECE):
                time.sleep(len(data) / self._rate)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Break everything."""
        self._listener.close()
        for end in self._ends:
            end.close()
