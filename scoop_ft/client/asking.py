"""How a run is, asked of its broker by a process that is none of the run's peers.

It says hello as an observer, asks once, and leaves: nothing is changed by it but for what it may
tell, that its machine does not join.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from ..errors import RunError
from ..rundir import Keys, RunDir
from ..wire.messages import PROTOCOL_VERSION, AskStatus, Hello, Refused, Stats, Unknown, Welcome
from .connection import Connection

LIMIT_S: Final = 1.0


def connect(endpoint: Callable[[], str], keys: Callable[[], Keys | None]) -> Connection:
    """Open a connection to a broker, and say hello on it."""
    connection = Connection(endpoint, keys)
    connection.open()
    me = os.urandom(8)
    host, pid = socket.gethostname(), os.getpid()
    connection.send(Hello(PROTOCOL_VERSION, me, "observer", host, pid, b"", [], []))
    return connection


def ask(
    directory: RunDir, limit_s: float, refused: str = "", *, strict: bool = False
) -> dict[str, Any] | None:
    """Ask the broker how its run is; None when it does not answer in time.

    ``refused`` tells it why this machine does not join the run.  ``strict``: a broker that answers
    and refuses is an error.
    """
    try:
        endpoint = directory.endpoint()
    except RunError:
        return None
    if not _listens(endpoint):
        return None
    connection = connect(lambda: endpoint, directory.client_keys)
    deadline = time.monotonic() + limit_s
    try:
        while (left := deadline - time.monotonic()) > 0:
            connection.poll(left)
            if connection.ended():
                return None
            message, _ = connection.receive() or (None, [])
            if isinstance(message, Welcome):
                connection.send(AskStatus(refused))
            elif isinstance(message, Stats):
                return message.stats
            elif isinstance(message, Refused) and strict:
                raise RunError(f"the broker refused: {message.reason}")
            elif isinstance(message, (Refused, Unknown)):
                return None
        return None
    finally:
        connection.close()


def _listens(endpoint: str) -> bool:
    """Tell at once whether anybody listens at a unix socket; others need to be tried."""
    if not endpoint.startswith("ipc://"):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(LIMIT_S)
        try:
            probe.connect(endpoint.removeprefix("ipc://"))
        except OSError:
            return False
    return True
