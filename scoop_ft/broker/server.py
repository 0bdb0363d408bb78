"""The broker's driver: step, send, commit, and only then acknowledge.

This is the one place that orders the journal's commit against acknowledgements.  A commit is
never awaited by a message on its way: it happens when the records staged are old enough, so that
many share one sync.  A failed sync stops the broker; a full disk stops only what is new.

Sockets, journal and clock are given to it: `loop` gives it real ones, the simulator its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from scoop_journal import Journal, JournalFull

from ..errors import ProtocolError
from . import attendance
from .core import Broker
from .ports import Ref, Send, SocketsPort
from .timing import TICK_S

log = logging.getLogger("scoop_ft.broker")

COMMIT_S: Final = 0.002  # a record waits this long for others,
COMMIT_SHARE: Final = 8  # or so many times as long as the last commit took,
COMMIT_MOST_S: Final = 0.1  # but never longer than this,
PAUSE_S: Final = 0.004  # and then for a pause of the messages, no longer than this
COMMIT_BYTES: Final = 8 << 20  # this much is committed at once
BURST: Final = 256  # messages taken before anything is sent
IDLE_S: Final = 0.5
CALM: Final = 1 / 16  # of the time for which no task has begun or ended, until the next look
ROOM_S: Final = 0.5  # how often a full disk is looked at
ROOM_BYTES: Final = 1 << 20  # new work is taken in while this much room is left
REAP_S: Final = 30.0
READ_BYTES: Final = 32 << 20  # of the journal's map are among this process's memory, not much more


class Server:
    """Steps a `Broker` that has sockets, a journal and a clock.

    Parameters
    ----------
    broker : Broker
    journal : Journal
    sockets : SocketsPort
    clock : callable
        The time in seconds, from some moment on.
    """

    def __init__(
        self,
        broker: Broker,
        journal: Journal,
        sockets: SocketsPort,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._sockets = sockets
        self._clock = clock
        self._dirty_since = 0.0
        self._awaits_pause = False
        self._room_at = 0.0
        self._copies = 0  # that were told of
        self._attendance = attendance.Attendance()
        self._attendance_at = 0.0
        self._stuck = False  # the last commit found no room
        self._tick_at = 0.0
        self._reap_at = 0.0
        self._synced_at = clock()
        self._live_bytes = journal.live_bytes
        self._read = 0  # bytes read from the journal, until its pages are given back
        journal.forget_pages()  # those that recovery has read

    def step(self, now: float) -> None:
        """Take what has come, decide, send, and commit when it is time.

        The first message is answered before the others are looked at: whoever waits for one task
        has sent only that.
        """
        quiet = not self._take_messages(1, now)
        if not quiet:
            self._broker.dispatch()
            self._send_all()
            self._take_messages(BURST, now)
        if now >= self._tick_at:
            self._tick(now)
        self._broker.dispatch()
        self._tell_copies()
        self._send_all()
        if self._commit_due(now, quiet=quiet):
            self.commit()
            self._send_all()

    def _tell_copies(self) -> None:
        begun = self._broker.copies.begun
        if begun != self._copies:
            log.info("second copies of tasks on slow workers: %d, now %d", self._copies, begun)
            self._copies = begun

    def _tell_attendance(self, now: float) -> None:
        workers = self._broker.peers.workers
        share = len(workers) / attendance.LOOK_WORKERS
        self._attendance_at = now + attendance.LOOK_S * max(1.0, share)
        for line in self._attendance.look(self._broker.peers):
            log.info("%s", line)

    def _take_messages(self, most: int, now: float) -> int:
        for number in range(most):
            if self._journal.staged_bytes >= COMMIT_BYTES and not self._stuck:
                return number  # what else has come waits: where it came from has a limit to it
            try:
                found = self._sockets.receive()
            except ProtocolError as error:
                self._drop(error.session, error.message, error)
                continue
            if found is None:
                return number
            try:
                self._broker.on_message(*found, now)
            except ProtocolError as error:
                self._drop(found[0], found[1], error)
        return most

    def _drop(self, session: bytes, message: Any, error: ProtocolError) -> None:
        self._sockets.bad_messages += 1
        log.warning("dropped a message of session %s: %s", session.hex(), error)
        self._broker.refuse(session, message, str(error))

    def _tick(self, now: float) -> None:
        self._tick_at = now + TICK_S
        broker = self._broker
        broker.bad_messages = self._sockets.bad_messages
        size = self._journal.size_bytes
        broker.journal_info = {
            "bytes": size,
            "live_bytes": self._live_bytes,
            "free_bytes": max(0, size - self._live_bytes),
            "last_sync_s": round(now - self._synced_at, 3),
        }
        broker.on_tick(now)
        if now >= self._attendance_at:
            self._tell_attendance(now)
        if now >= self._room_at:
            self._room_at = now + ROOM_S
            self._live_bytes = self._journal.live_bytes
            self._look_for_room()
        if now >= self._reap_at:
            self._reap_at = now + REAP_S
            self._journal.reap_readers()
            self._sockets.forget_all_but(broker.peers)

    def _look_for_room(self) -> None:
        if self._stuck and not self.commit():
            return
        if not self._journal.has_room(ROOM_BYTES):
            self._say_full()
        elif self._broker.full:
            log.info("there is room on the disk again")
            self._broker.on_room()

    def _say_full(self) -> None:
        if self._broker.full:
            return
        self._broker.full = self._journal.why_full()
        log.error("%s", self._broker.full)

    # ---- committing ------------------------------------------------------------------------

    def _waits(self) -> bool:
        return self._journal.dirty or self._broker.acks_due()

    def _window_s(self) -> float:
        return min(max(COMMIT_S, COMMIT_SHARE * self._journal.last_commit_seconds), COMMIT_MOST_S)

    def _commit_due(self, now: float, *, quiet: bool) -> bool:
        """Is it time?  While messages come, one may be on its way that somebody waits for.

        Then a pause is awaited, but not for long.
        """
        if not self._waits():
            self._dirty_since = 0.0
            return False
        if not self._dirty_since:
            self._dirty_since = now
        if self._stuck:
            return False  # tried again when it is time to look for room
        age, window = now - self._dirty_since, self._window_s()
        self._awaits_pause = not quiet and window <= age < window + PAUSE_S
        old = age >= window and not self._awaits_pause
        return old or self._broker.hurry or self._journal.staged_bytes >= COMMIT_BYTES

    def commit(self) -> bool:
        """Send, commit, and acknowledge what that has made safe; False when the disk is full.

        Raises
        ------
        JournalBroken
            The disk failed: what was not acknowledged may be lost, and nothing else.
        """
        self._send_all()  # it may refer to records that nothing needs any more
        self._broker.drop_records()
        try:
            self._journal.commit()
        except JournalFull:
            self._stuck = True
            self._say_full()
            return False
        self._stuck = False
        self._dirty_since = 0.0
        self._broker.hurry = False
        self._synced_at = self._clock()
        self._broker.on_committed()
        return True

    def patience_s(self) -> float:
        """Return after how many seconds the next step is due though nothing has come."""
        if self._dirty_since and not self._stuck:
            if self._awaits_pause:
                return PAUSE_S / 4
            return min(self._window_s(), TICK_S)
        if self._broker.needs_ticks():
            return TICK_S
        if self._broker.may_take_back():  # what has run for an hour is not worth 50 looks a second
            quiet_s = self._clock() - self._broker.dispatcher.moved_at
            return min(max(TICK_S, quiet_s * CALM), IDLE_S)
        return IDLE_S

    # ---- sending ---------------------------------------------------------------------------

    def _send_all(self) -> None:
        while outbox := self._broker.take_outbox():
            if not any(send.frames for send in outbox):  # nothing to be read for it
                for send in outbox:
                    self._send(None, None, send)
                continue
            with self._journal.reading() as view:
                record = cache(view.record)  # many spans of one batch go out together
                for send in outbox:
                    self._send(view, record, send)
            if self._read > READ_BYTES:
                self._read = 0
                self._journal.forget_pages()

    def _send(self, view: Any, record: Any, send: Send) -> None:
        frames = [self._resolve(view, record, f) if isinstance(f, Ref) else f for f in send.frames]
        if not self._sockets.send(send.session, send.message, frames):
            self._broker.on_disconnect(send.session, self._clock())

    def _resolve(self, view: Any, record: Any, ref: Ref) -> Any:
        found = _read(view, record, ref)
        self._read += len(found)
        return found


def _read(view: Any, record: Any, ref: Ref) -> Any:
    if ref.buffer is not None:
        return view.buffer(ref.seq, ref.buffer)
    whole = record(ref.seq).payload
    return whole if ref.stop is None and not ref.start else whole[ref.start : ref.stop]
