"""What ``--listen`` says: can the broker listen there?  Asked before a run is made or changed."""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Final

from ..errors import RunError
from .address import HIGHEST_PORT

PREFIX: Final = "tcp://"
PATIENCE_S: Final = 1.0  # a broker whose launcher was killed just now has the port for a moment
_LOOK_AGAIN_S: Final = 0.05
_OTHERWISE: Final = "name one that it has with --listen, or 0.0.0.0 for all of them"


def check(address: str, *, recorded: bool = False) -> None:
    """Refuse an address that the broker cannot listen on now.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT``, or empty: then there is nothing to check.
    recorded : bool
        It was given when the run was started, and not now.

    Raises
    ------
    RunError
        Says what is wrong with it and how to mend it.
    """
    if not address:
        return
    host, port = _parts(address)
    why = _why_not(host, port)
    if why:
        asked = ", as recorded for this run" if recorded else ""
        raise RunError(f"--listen {address}{asked}: {why}")


def _parts(address: str) -> tuple[str, int]:
    host, colon, port = address.removeprefix(PREFIX).rpartition(":")
    if not (address.startswith(PREFIX) and colon and host):
        raise RunError(f"--listen wants tcp://HOST:PORT, not {address}")
    number = "0" if port == "*" else port  # ØMQ's word for any
    if not (number.isascii() and number.isdigit() and int(number) <= HIGHEST_PORT):
        raise RunError(f"--listen {address}: a port is a number from 1 to {HIGHEST_PORT}")
    return host, int(number)


def _why_not(host: str, port: int) -> str:
    """Say why nobody can listen there; empty when it can be done."""
    bound_to = _address(host)
    if bound_to is None:
        return f"there is no {_kind(host)} of the name {host}: {_OTHERWISE}"
    deadline = time.monotonic() + PATIENCE_S
    while (error := _bind(bound_to, port)) is not None:
        if error.errno != errno.EADDRINUSE:
            break
        if time.monotonic() > deadline:
            return (
                "the port is in use on this machine: name another with --listen "
                f"({_free_port(bound_to)} is free)"
            )
        time.sleep(_LOOK_AGAIN_S)
    if error is None:
        return ""
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this is no address of this machine: {_OTHERWISE}"
    if error.errno == errno.EACCES:
        return "this port is for the system: name one above 1023 with --listen"
    return f"{error.strerror}: name another with --listen"


def _address(host: str) -> str | None:
    """Return the address to bind to; None when there is none."""
    if host == "*" or _is_interface(host):
        return "0.0.0.0"  # of an interface, ØMQ finds it: the port has to be free in any case
    family = socket.AF_INET6 if _is_ipv6(host) else socket.AF_INET
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def _is_ipv6(host: str) -> bool:
    """Tell whether it is an IPv6 address: written in brackets, as before any port."""
    return host.startswith("[")


def _kind(host: str) -> str:
    return "IPv6 address" if _is_ipv6(host) else "IPv4 address"


def _socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)


def _is_interface(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> OSError | None:
    """Try it as ØMQ will; nobody can connect to a socket that is only bound."""
    try:
        with _socket(host) as probe:
            if os.name == "posix":  # elsewhere it would let two have one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:  # also a system without IPv6
        return error
    return None


def _free_port(host: str) -> int:
    with _socket(host) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
