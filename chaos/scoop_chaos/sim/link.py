"""What `scoop_ft.client.link.Link` is to a real process: carries a session's messages.

The same calls and the same order of things; what blocks there gives way to the clock here, and the
helper thread is an event of the clock.  Decides nothing about tasks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from scoop_ft.client.link import SILENCE_S, TICK_S
from scoop_ft.client.session import Session
from scoop_ft.wire.codec import decode_from_broker, encode

from .network import Connection
from .owed import Owed
from .process import Process
from .witness import Witness


class SimLink:
    """Joins a session to a simulated connection."""

    def __init__(
        self,
        process: Process,
        session: Session,
        connection: Connection,
        flush: Callable[[], None],
        witness: Witness,
        owed: Owed,
    ) -> None:
        self.process = process
        self.session = session
        self.connection = connection
        self.state = threading.RLock()
        self.last_pump = 0.0
        self.after_pump: Callable[[], None] | None = None
        self._flush = flush
        self._witness = witness
        self._owed = owed
        self._hello_at = 0.0
        self._helped = False

    def start(self) -> None:
        """Connect."""
        self._reconnect()

    # ---- for the process's code ------------------------------------------------------------

    def wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something is so; False when the time is over."""
        clock = self.process.clock
        deadline = None if timeout_s is None else clock.now + timeout_s
        while not ready():
            if self.session.ended:
                raise self.session.broken()
            if deadline is not None and clock.now >= deadline:
                return False
            self._exchange(deadline, block=not ready())
        return True

    def pump(self, seconds: float = 0.0) -> None:
        """Send and receive once."""
        if self.process.alive:
            self._exchange(None, block=False)

    def look(self) -> None:
        """Take in what has come, and say what that asks for."""
        if not (self.process.alive and self.connection.has_news()):
            return
        self._receive()
        if self.session.must_say():
            self.pump()
        elif self.after_pump is not None:
            self.after_pump()

    def wake(self) -> None:
        """End the poll that somebody blocks in."""
        self.process.wake()

    def busy(self) -> None:
        """The process computes: the helper looks after the socket."""
        self.process.polling = False

    def idle(self) -> None:
        """The process waits at the socket."""

    def arrived(self) -> None:
        """Something has come: the poll ends, or the helper finds it before long."""
        if self.process.polling:
            self.process.wake()
        else:
            self.help_soon()

    def help_soon(self) -> None:
        """The helper thread looks at the socket within its tick."""
        if not self._helped:
            self._helped = True
            self.process.clock.after(TICK_S, lambda: self.process.run_aside(self._help))

    def _help(self) -> None:
        self._helped = False
        if self.process.working:
            self.pump()

    # ---- the pump --------------------------------------------------------------------------

    def _exchange(self, deadline: float | None, *, block: bool) -> None:
        session, connection = self.session, self.connection
        if session.reconnect or connection.ended() or self._silent():
            self._reconnect()
        self._send()
        if block and not connection.has_news():
            self.process.block(self._patience(deadline), polling=True)
        self._receive()
        if session.reconnect:
            self._reconnect()
        self._send()
        self.last_pump = self.process.clock.now
        if self.after_pump is not None:
            self.after_pump()

    def _receive(self) -> None:
        while (found := self.connection.receive()) is not None:
            header, frames = found
            message = decode_from_broker(header, frames)
            self._witness.hears(self.session, message)
            self._owed.hears(self.session, message)
            self.session.on_message(message, frames)
            self._owed.heard(self.session, message)

    def _patience(self, deadline: float | None) -> float | None:
        if self.session.welcomed:
            return deadline
        silence = self._hello_at + SILENCE_S + 0.001
        return silence if deadline is None else min(silence, deadline)

    def _send(self) -> None:
        if self.session.welcomed:
            self._flush()
        outbox = self.session.take_outbox()
        for message, frames in outbox:
            self._witness.says(self.session, message)
            self._owed.says(self.session, message)
            self.connection.send((encode(message), [bytes(frame) for frame in frames]))

    def _silent(self) -> bool:
        return not self.session.welcomed and self.process.clock.now - self._hello_at > SILENCE_S

    def _reconnect(self) -> None:
        self.connection.open()
        self._hello_at = self.process.clock.now
        self.session.connect()
