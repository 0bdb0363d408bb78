"""The broker's sockets: frames in and out, sessions and their connections.

One ROUTER, in one thread.  A session is where its last `Hello` came from.  On tcp everything is
CURVE-encrypted and only the run's client key is let in (the ZAP request is answered here); on ipc
the run directory's permissions decide.  Decodes and counts; decides nothing about tasks.

There may be ten thousand peers.  So connections are watched by the kernel and not by ØMQ, which for
its heartbeats keeps a timer a connection in a list that it walks for each answer, and descriptors
are had up to the hard limit.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from typing import Any

import zmq
from zmq.utils import z85

from ..errors import ProtocolError
from ..rundir import Keys
from ..wire import messages as wire
from ..wire import parts, probes
from ..wire.codec import decode_from_peer, encode
from ..wire.frames import LARGE, Buffer
from .routes import Routes

BACKLOG = 4_096
ROW = 2  # after so many messages there is one more, mostly


def allow_descriptors() -> None:
    """Raise the limit of descriptors as far as this process may: each peer needs one."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS: no more than it says elsewhere
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Sockets:
    """The ROUTER and who is behind it.

    Parameters
    ----------
    endpoints : sequence of str
        Where to listen.
    server : Keys or None
        The broker's CURVE keys; needed for tcp.
    client_public : str
        The one client key that is let in on tcp.
    """

    def __init__(
        self, endpoints: Sequence[str], server: Keys | None = None, client_public: str = ""
    ) -> None:
        allow_descriptors()
        self._context = zmq.Context()
        self._client_public = client_public.encode()
        self.zap: zmq.Socket[bytes] | None = None
        self.routers: list[zmq.Socket[bytes]] = []
        self._routes: Routes[tuple[int, bytes]] = Routes()  # of (router, routing id)
        self._turn = 0  # whose messages are looked at first
        self._rows = [0 for _ in endpoints]  # how many have come one behind the other
        self.bad_messages = 0
        self.endpoints: list[str] = []
        for endpoint in endpoints:
            self._listen(endpoint, server)

    def _listen(self, endpoint: str, server: Keys | None) -> None:
        router = self._context.socket(zmq.ROUTER)
        # Every option before bind: connections accepted by a bound listener keep the old values.
        for option, value in (
            (zmq.ROUTER_MANDATORY, 1),
            (zmq.SNDHWM, 0),
            (zmq.RCVHWM, 0),
            (zmq.LINGER, 500),
            (zmq.BACKLOG, BACKLOG),
            *probes.options(endpoint),
        ):
            router.set(option, value)
        if endpoint.startswith("tcp:"):
            if server is None:
                raise ProtocolError("a broker listens on tcp only with keys")
            self._guard()
            router.curve_server = True
            router.curve_publickey = server.public.encode()
            router.curve_secretkey = server.secret.encode()
            router.zap_domain = b"scoop-ft"
        router.bind(endpoint)
        self.endpoints.append(router.get_string(zmq.LAST_ENDPOINT))
        self.routers.append(router)

    def _guard(self) -> None:
        if self.zap is None:
            self.zap = self._context.socket(zmq.REP)
            self.zap.bind("inproc://zeromq.zap.01")

    def answer_zap(self) -> None:
        """Let the run's client key in, and nobody else."""
        assert self.zap is not None
        while True:
            try:
                request = self.zap.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            version, number = [*request, b"1.0", b"0"][:2]
            key = request[6] if len(request) == 7 and request[5] == b"CURVE" else b""
            known = bool(key) and z85.encode(key) == self._client_public
            status = (b"200", b"OK") if known else (b"400", b"not a key of this run")
            self.zap.send_multipart([version, number, *status, b"", b""])

    def receive(self) -> tuple[bytes, Any, bytes, list[Buffer]] | None:
        """Return the next well-formed message of a known session: session, message, header, frames.

        None when there is none now.  What is malformed is dropped and counted.

        Raises
        ------
        ProtocolError
            A session that is known has sent something malformed.  That is not counted here.
        """
        for _ in self.routers:
            number = self._turn
            while (frames := self._take(number)) is not None:
                found = self._read(number, frames)
                if found is not None:
                    # Or a machine elsewhere is not heard while there is always more from here.
                    self._turn = (number + 1) % len(self.routers)
                    return found
            self._turn = (number + 1) % len(self.routers)
        return None

    def _take(self, number: int) -> list[zmq.Frame] | None:
        """Return the frames of the next message; where some have come, more are expected."""
        frames = parts.receive(self.routers[number], expected=self._rows[number] >= ROW)
        self._rows[number] = 0 if frames is None else self._rows[number] + 1
        return frames

    def _read(
        self, number: int, came: list[zmq.Frame]
    ) -> tuple[bytes, Any, bytes, list[Buffer]] | None:
        route = (number, came[0].bytes)
        if len(came) < 2:
            self.bad_messages += 1
            return None
        header = came[1].bytes
        if not header:  # the probe that ØMQ sends first on each connection that it makes
            if self._routes.anew(route):
                self._send_to(route, [encode(wire.Unknown())])
            return None
        frames: list[Buffer] = [p.bytes if len(p) < LARGE else p.buffer for p in came[2:]]
        try:
            message = decode_from_peer(header, frames)
        except ProtocolError as error:
            session = self._routes.session(route)
            if session is not None:
                error.session = session
                raise
            self.bad_messages += 1
            return None
        hello = type(message) is wire.Hello
        if hello and not self._routes.meet(route, message.session, message.connection):
            return None
        session = self._routes.session(route)
        if session is None:
            self._send_to(route, [encode(wire.Unknown())])
            return None
        return session, message, header, frames

    def send(self, session: bytes, message: wire.Message, frames: Sequence[Buffer]) -> bool:
        """Send to a session; False when it cannot be reached."""
        route = self._routes.route(session)
        if route is None:
            return False
        if self._send_to(route, [encode(message), *frames]):
            return True
        self._routes.lose(session)
        return False

    def _send_to(self, route: tuple[int, bytes], frames: list[Buffer]) -> bool:
        try:
            parts.send(self.routers[route[0]], [route[1], *(_frame_of(f) or f for f in frames)])
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def forget_all_but(self, sessions: Container[bytes]) -> None:
        """Forget the connections of sessions that the broker knows no more."""
        self._routes.forget_all_but(sessions)

    def close(self) -> None:
        """Close everything; what was sent gets half a second to leave."""
        for router in self.routers:
            router.close()
        if self.zap is not None:
            self.zap.close(0)
        self._context.term()


def _frame_of(part: Buffer) -> zmq.Frame | None:
    """Return the frame that bytes have come in, if they are all of it: it leaves without a copy.

    What is read from the journal's map is copied: that is written to before a frame has left.
    """
    frame: Any = part.obj if type(part) is memoryview else None
    return frame if type(frame) is zmq.Frame and len(frame) == len(part) else None
