"""Options of sockets for other machines: how the kernel watches connections, at both ends alike.

ØMQ's own heartbeats stand behind a peer's own data in every buffer on the way: on a slow link a
large message would break the connection that carries it, again and again.  And with thousands of
connections their timers cost more than the messages.
"""

from __future__ import annotations

from typing import Final

import zmq

LOST_MS: Final = 3_000  # a connection without a sign of life from its other end is closed
_IDLE_S: Final = 1

#: Options of a socket that has tcp connections, and their values.
PROBES: Final = (
    (zmq.TCP_KEEPALIVE, 1),
    (zmq.TCP_KEEPALIVE_IDLE, _IDLE_S),
    (zmq.TCP_KEEPALIVE_INTVL, 1),
    (zmq.TCP_KEEPALIVE_CNT, LOST_MS // 1_000 - _IDLE_S),
    (zmq.TCP_MAXRT, LOST_MS),
)


def options(endpoint: str) -> tuple[tuple[int, int], ...]:
    """Return what a socket is given before it is bound or connected to this address.

    IPv6 where its address is written out, in brackets.  A name stays one of IPv4: with both
    allowed, ØMQ would try one address only, and the broker may listen on the other.
    """
    if not endpoint.startswith("tcp:"):
        return ()
    return (*PROBES, (zmq.IPV6, 1)) if endpoint.startswith("tcp://[") else PROBES
