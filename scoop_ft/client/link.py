"""Carries a session's messages: one socket, used by whoever waits.

A thread that waits for results polls the socket itself, so a result wakes it without a detour.
While all threads compute, a helper thread looks after the socket every few milliseconds: it sends
what was submitted and takes in what has come.  `pump` is the only place that touches the socket;
its lock is held for a whole pump.  The session's own lock (``state``) is held only for moments,
and never while user code runs.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import zmq

from .connection import Connection
from .handlers import whole
from .session import Session

TICK_S: Final = 0.01  # how long something may wait while everybody computes
POLL_S: Final = 0.5
SILENCE_S: Final = 3.0  # no Welcome this long after a Hello: begin anew


class Link:
    """Joins a `Session` to a `Connection`.

    Parameters
    ----------
    session : Session
    connection : Connection
    flush : callable
        Turns what was submitted or finished into messages; called with ``state`` held.
    """

    def __init__(self, session: Session, connection: Connection, flush: Callable[[], None]) -> None:
        self.session = session
        self.state = threading.RLock()
        self.last_pump = time.monotonic()
        self.tick_s = TICK_S
        self.pumping = False  # somebody blocks in poll
        self.after_pump: Callable[[], None] | None = None
        self._flush = flush
        self._connection = connection
        self._pump_lock = threading.Lock()
        self._arrived = threading.Condition()
        self._waiting = 0
        self._busy = threading.Event()
        self._busy.set()
        self._closed = False
        self._pumper = 0
        self._interrupted = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._woken = self._wake_in.fileno()
        self._poller = zmq.Poller()
        self._hello_at = 0.0
        self._lost = False  # the connection has ended
        self._helper = threading.Thread(target=self._help, name="scoop-ft-link", daemon=True)

    def address(self) -> str:
        """Return where the broker is."""
        return self._connection.address()

    def start(self) -> None:
        """Connect, and let the helper thread begin."""
        with self._pump_lock:
            self._reconnect()
        self._helper.start()

    # ---- for threads that wait ---------------------------------------------------------------

    def wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something is so; False when the time is over.

        Raises
        ------
        BrokenRun
            The run has ended: it will never be so.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not ready():
            if self.session.ended:
                raise self.session.broken()
            left = POLL_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            self._wait_for_news(ready, min(left, POLL_S))
        return True

    @whole
    def _wait_for_news(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait at the socket, or for the thread that does, until something has come."""
        if self._pump_lock.acquire(blocking=False):
            try:
                self.pumping = True  # who changes what is looked at now ends the poll to come
                self._pump(0 if ready() else seconds)
            finally:
                self.pumping = False
                self._pump_lock.release()
                self._tell()
            self._call_back()
        else:
            self._wait_for_others(ready, seconds)

    @whole
    def _wait_for_others(self, ready: Callable[[], bool], seconds: float) -> None:
        with self._arrived:
            self._waiting += 1
            try:
                if not ready() and self._pump_lock.locked():
                    self._arrived.wait(seconds)
            finally:
                self._waiting -= 1

    def _tell(self) -> None:
        if self._waiting:
            with self._arrived:
                self._arrived.notify_all()

    @whole
    def pump(self, seconds: float = 0.0) -> None:
        """Send and receive once, waiting at most so long for something to come."""
        if self._pump_lock.acquire(blocking=False):
            try:
                self._pump(seconds)
            finally:
                self._pump_lock.release()
                self._tell()
            self._call_back()

    @whole
    def look(self) -> None:
        """Take in what has come, and say what that asks for; to ask costs next to nothing.

        All else that is to be said waits for its time: it would be said, and acknowledged, and that
        be looked at, message by message.
        """
        if not self._pump_lock.acquire(blocking=False):
            return
        try:
            if not self._connection.readable():
                return
            self._as_a_whole(self._receive)
            asks = self.session.must_say()
        finally:
            self._pump_lock.release()
            self._tell()
        if asks:
            self.pump(0.0)
        else:
            self._call_back()

    def _call_back(self) -> None:
        if self.after_pump is not None:
            self.after_pump()

    def interrupt(self) -> bool:
        """Ctrl-C has come, in the main thread; True: it is raised at the end of this pump.

        A message half taken in would be a lost result.
        """
        if self._pumper != threading.get_ident():
            return False
        self._interrupted = True
        self.wake()
        return True

    def _raise_interrupt(self) -> None:
        if self._interrupted and threading.current_thread() is threading.main_thread():
            self._interrupted = False
            raise KeyboardInterrupt

    def wake(self) -> None:
        """End the poll that somebody blocks in."""
        if self.pumping:
            try:
                self._wake_out.send(b"x")
            except OSError:
                return  # it is full of wake-ups already, or closed meanwhile

    # ---- the pump ----------------------------------------------------------------------------

    def _pump(self, seconds: float) -> None:
        # From here on a wake-up ends the poll to come: what is submitted now is not in this send.
        self.pumping = seconds > 0
        self._as_a_whole(lambda: self._exchange(seconds))

    def _as_a_whole(self, call: Callable[[], None]) -> None:
        """Do something that Ctrl-C does not end in its midst."""
        self._pumper = threading.get_ident()
        try:
            call()
        finally:
            self._pumper = 0
        self._raise_interrupt()

    def _exchange(self, seconds: float) -> None:
        session = self.session
        if self._closed:  # since the helper has last looked
            return
        if seconds <= 0:  # else the poll tells
            self._lost = self._lost or self._connection.ended()
        if session.reconnect or self._lost or self._silent():
            self._reconnect()
        self._send()
        if seconds > 0:
            self._poll(seconds)
        self._receive()
        if session.reconnect or self._lost:
            self._reconnect()
        self._send()
        self.last_pump = time.monotonic()

    def _receive(self) -> None:
        while (found := self._connection.receive()) is not None:
            with self.state:
                self.session.on_message(*found)

    def _poll(self, seconds: float) -> None:
        self.pumping = True
        try:
            ready = self._poller.poll(int(seconds * 1000) + 1)
        finally:
            self.pumping = False
        for thing, _ in ready:
            if thing is self._connection.monitor:
                self._lost = self._connection.ended()
            elif thing == self._woken:
                self._wake_in.recv(4096)

    def _send(self) -> None:
        with self.state:
            if self.session.welcomed:
                self._flush()
            outbox = self.session.take_outbox()
        for message, frames in outbox:
            self._connection.send(message, frames)

    def _silent(self) -> bool:
        return not self.session.welcomed and time.monotonic() - self._hello_at > SILENCE_S

    def _reconnect(self) -> None:
        self._lost = False
        self._connection.open()
        self._hello_at = time.monotonic()
        with self.state:
            self.session.connect()
        self._poller = zmq.Poller()
        for each in self._connection.sockets:
            self._poller.register(each, zmq.POLLIN)
        self._poller.register(self._woken, zmq.POLLIN)

    # ---- the helper --------------------------------------------------------------------------

    def busy(self) -> None:
        """This process computes now: the helper looks after the socket."""
        if not self._busy.is_set():
            self._busy.set()

    def idle(self) -> None:
        """A thread waits at the socket: the helper may sleep."""
        self._busy.clear()

    def _help(self) -> None:
        try:
            while not self._closed:
                self._busy.wait()
                time.sleep(self.tick_s)
                if self.pumping:
                    self._wait_for_others(self._is_left_alone, POLL_S)
                elif time.monotonic() - self.last_pump >= self.tick_s:
                    self.pump(0.0)
        except BaseException as error:
            # Nobody would notice this thread's death: those who wait shall hear of it.
            self.session.ended = f"its connection failed with {error!r}"
            self.wake()
            raise

    def _is_left_alone(self) -> bool:
        """Does nobody block at the socket?"""
        return not self.pumping

    def copy_all(self) -> None:
        """Send without what pyzmq's exit function ends, which is about to be called."""
        self._connection.copies = True

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        self._busy.set()
        with self._pump_lock:
            self._connection.close()
            self._wake_in.close()
            self._wake_out.close()
