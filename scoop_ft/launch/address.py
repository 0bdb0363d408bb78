"""What a user types to name a broker: its run, or an address; and what can be wrong with that."""

from __future__ import annotations

import os
import re
import socket
from typing import Final

from .. import rundir
from ..errors import RunError

SCHEMES: Final = ("tcp://", "ipc://")
_TCP: Final = re.compile(r"tcp://(?P<host>\[[^\]\s]+\]|[A-Za-z0-9._-]+):(?P<port>\d+)")
_BARE: Final = re.compile(r"(\[[^\]\s]+\]|[A-Za-z0-9._-]+):\d+")
HIGHEST_PORT: Final = 65_535
PROBE_S: Final = 3.0


def locate(where: str) -> rundir.RunDir:
    """Find a run that is not named by an address; what looks like one is told so."""
    try:
        return rundir.locate(where)
    except RunError as error:
        if _BARE.fullmatch(where):
            raise RunError(f"an address begins with tcp://: tcp://{where}, not {where}") from error
        if "://" in where:
            scheme = where.partition("://")[0]
            raise RunError(f"an address begins with tcp://, not {scheme}://: {where}") from error
        raise


def check(address: str) -> None:
    """Refuse an address at which there can be no broker."""
    if address.startswith("ipc://"):
        if not 0 < len(os.fsencode(address[6:])) <= rundir.LONGEST_SOCKET_PATH:
            most = rundir.LONGEST_SOCKET_PATH
            raise RunError(f"a socket's path has 1 to {most} bytes, not as {address}")
        return
    parts = _TCP.fullmatch(address)
    if parts is None:
        raise RunError(f"an address is tcp://HOST:PORT, not {address}")
    if not 1 <= int(parts["port"]) <= HIGHEST_PORT:
        raise RunError(f"a port is 1 to {HIGHEST_PORT:,}, not {parts['port']}: {address}")


def unresolved(address: str) -> str:
    """Say that an address names a machine which is not known here; empty: it is.

    That may change, as when a network is not up yet.
    """
    parts = _TCP.fullmatch(address)
    if parts is None:
        return ""
    name = parts["host"]
    host, family = name.strip("[]"), socket.AF_INET6 if name.startswith("[") else socket.AF_INET
    try:
        socket.getaddrinfo(host, int(parts["port"]), family, socket.SOCK_STREAM)
    except OSError as error:
        return f"no machine {host} is known here ({error.strerror})"
    return ""


def unreached(address: str) -> str:
    """Say why nobody is reached at an address, and what helps; empty: somebody listens there."""
    parts = _TCP.fullmatch(address)
    if parts is None:
        return f"no broker answers at {address}: is the run alive?"
    if unknown := unresolved(address):
        return f"{unknown}: mend the name in {address}, or this machine's network"
    try:
        socket.create_connection((parts["host"].strip("[]"), int(parts["port"])), PROBE_S).close()
    except ConnectionRefusedError:
        return f"nothing listens at {address}: is the run alive, and its port this one?"
    except OSError as error:
        return (
            f"{address} cannot be reached ({error.strerror or 'no answer'}): is that machine on, "
            f"and does its firewall let port {parts['port']} through?"
        )
    return ""
