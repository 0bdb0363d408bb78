"""The agent's decisions: which workers there shall be, and what the broker is told of them.

A state machine without I/O: what happened goes in, what to do comes out as a list of effects, in
order.  `scoop_ft.launch.host` drives it with real processes and a real connection.  The broker
hears of changes in `tick`, which the driver calls after whatever it has seen, so that many
changes at once make one heartbeat.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from ..wire.messages import (
    NO_WORKER,
    PROTOCOL_VERSION,
    Ack,
    Gone,
    Heartbeat,
    Hello,
    Refused,
    Stats,
    Stop,
    Unknown,
    Welcome,
    WorkerReport,
)
from .blame import Unasked
from .effects import (
    Effect,
    Finished,
    Kill,
    Reconnect,
    Retire,
    Say,
    Send,
    Sight,
    Spawn,
    Unfit,
)
from .recycling import NO_LIMITS, SHORT_LIFE_S, SHORT_LIVES_SAID, Limits
from .wording import last_words, obituary

HEARTBEAT_S: Final = 0.5
SILENCE_S: Final = 3.0  # without an answer, the connection is made anew
STARTUP_S: Final = 20.0  # a worker that dies later did not die at start
FIRST_DELAY_S: Final = 0.5  # before the third start in a row; doubles from there
LONGEST_DELAY_S: Final = 30.0
BAD_STARTS_SAID: Final = 3  # of those in a row, each third is worth a word
STDERR_LINES: Final = 20
UNFIT: Final = 78  # EX_CONFIG: how a launcher's agent ends whose machine was of no use
CANCELLED_S: Final = 5.0  # so long a task may go on that was cancelled while it ran,
BESIDE_S: Final = 30.0  # and so long if others wait in its process: they will have to run again


class _Worker(msgspec.Struct, eq=False):
    slot: int
    session: bytes
    pid: int = 0
    born: float = 0.0
    stopped: bool = False
    sight: Sight = Sight()
    task_since: float = 0.0
    too_large: bool = False
    overdue: bytes = b""  # the task that it is killed for, since its time limit was over
    unwanted: bool = False  # it is killed since its task was cancelled
    cancelled_at: float = 0.0  # when its task was seen to be cancelled; 0: it is not

    def report(self, now: float) -> WorkerReport:
        sight = self.sight
        return WorkerReport(
            session=self.session,
            pid=self.pid,
            state=self.state(),
            task=sight.task,
            since_s=max(0.0, now - self.task_since) if sight.task else 0.0,
            rss_bytes=sight.rss_bytes,
            tasks_done=sight.tasks_done,
        )

    def may_be_ended(self) -> bool:
        return not (self.overdue or self.unwanted or self.stopped)

    def ends_at(self) -> float:
        return self.cancelled_at + (BESIDE_S if self.sight.beside else CANCELLED_S)

    def state(self) -> str:
        if self.stopped:
            return "stopped"
        if self.sight.task:
            return "busy"
        return "idle" if self.sight.ready else "starting"


class _Slot(msgspec.Struct, eq=False):
    """A place for one worker; it outlives the workers in it."""

    worker: _Worker | None = None
    bad_starts: int = 0  # in a row
    last_words: str = ""  # of the last that died as it started
    not_before: float = 0.0
    short_lives: int = 0  # in a row, each ended by the memory limit
    replacing: bool = False  # one has made room for another, which is not up yet


class Agent:
    """Keeps a number of workers alive and answers for them.

    Parameters
    ----------
    session : bytes
        The agent's own.
    workers : int
        How many there shall be.
    sessions : iterator of bytes
        Where the workers' sessions come from: never the same twice.
    host, pid
        Of this process, for the broker.
    limits : Limits
        What a worker may do before another takes its place.
    at_once : int, optional
        So many are started at once, the others when the broker has answered.
    """

    def __init__(
        self, session: bytes, workers: int, sessions: Iterator[bytes], host: str, pid: int,
        limits: Limits = NO_LIMITS, at_once: int | None = None,
    ) -> None:  # fmt: skip
        self.limits = limits
        self._at_once = workers if at_once is None else at_once
        self.session = session
        self.stats: dict[str, Any] = {}
        self.welcome: Welcome | None = None
        self.leaving = False
        self.restarts = 0
        self.imported = False  # a worker of this machine could import the script
        self._slots = [_Slot() for _ in range(workers)]
        self._sessions = sessions
        self._host = host
        self._pid = pid
        self._by_session: dict[bytes, _Slot] = {}
        self._unacknowledged: list[Gone] = []
        self._unasked = Unasked()
        self._n = 0
        self._connections = 0
        self._connected = False  # and welcomed
        self._changed = False
        self._next_heartbeat = 0.0
        self._last_heard = 0.0
        self._answered_at = 0.0
        self._stats_at = 0.0
        self._last_tick = 0.0

    # ---- what the launcher asks -----------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """How many workers there shall be."""
        return len(self._slots)

    @property
    def connected(self) -> bool:
        """Whether the broker has welcomed the connection there is."""
        return self._connected

    @property
    def changed(self) -> bool:
        """Whether there is something the broker has not been told."""
        return self._changed

    def ask(self) -> None:
        """Have the next `tick` ask the broker how the run is."""
        self._changed = True

    def living(self) -> list[tuple[int, bytes, int]]:
        """Return slot, session and pid of each worker that lives."""
        slots = enumerate(self._slots)
        return [(k, s.worker.session, s.worker.pid) for k, s in slots if s.worker and s.worker.pid]

    def answered_since(self, then: float) -> bool:
        """Tell whether the broker has said something since then."""
        return self._answered_at > then

    def stats_since(self, then: float) -> bool:
        """Tell whether there are figures since then."""
        return self._stats_at > then

    def trouble(self) -> str:
        """Say why no worker is up, as far as that is known here; else nothing."""
        if self._slots and all(s.bad_starts > 1 and not _is_up(s.worker) for s in self._slots):
            words = next((s.last_words for s in self._slots if s.last_words), "")
            return f"the workers die as they start{words and ': '}{words}"
        if self._slots and all(slot.replacing for slot in self._slots):
            return "all workers are just being replaced by new processes"
        if self.stats.get("waiting") == NO_WORKER and any(map(self._is_starting, self._slots)):
            return "the workers are starting"
        return ""

    def _is_starting(self, slot: _Slot) -> bool:
        """Tell whether there is no reason yet to think that a worker does not come up.

        One that is ready has still to connect, and the broker's figures may be older than that.
        """
        worker = slot.worker
        if worker is None or slot.bad_starts:
            return False
        return self._last_tick - worker.born < STARTUP_S

    # ---- workers --------------------------------------------------------------------------------

    def started(self, session: bytes, pid: int, now: float) -> list[Effect]:
        """Note that the process of a worker has begun."""
        worker = self._worker(session)
        if worker is not None:
            worker.pid, worker.born = pid, now
            self._changed = True
        return []

    def stopped(self, session: bytes, stopped: bool) -> list[Effect]:
        """Note that a worker was stopped (SIGSTOP), or goes on."""
        worker = self._worker(session)
        if worker is not None and worker.stopped != stopped:
            worker.stopped = stopped
            self._changed = True
        return []

    def exited(
        self, session: bytes, code: int, by: int, sight: Sight, stderr: list[str], now: float
    ) -> list[Effect]:
        """Note the end of a worker: by an exit code, or ``by`` a signal."""
        slot = self._by_session.pop(session, None)
        if slot is None or slot.worker is None:
            return []
        worker, slot.worker = slot.worker, None
        gone = self._gone(worker, code, by, sight, stderr)
        self._unacknowledged.append(gone)
        self._changed = True
        effects: list[Effect] = [Send(gone)] if self._connected else []
        if sight.unfit:
            last = (stderr[-1] if stderr else "").removeprefix("scoop-ft: ")
            effects += self._unfit(slot, worker.slot, sight, last, now)
        elif sight.retired and not code and not by:
            effects += self._retired(slot, worker, now)
        elif not self.leaving:
            self._plan_restart(slot, worker, sight, now)
            effects += self._mourn(slot, worker, gone, sight, now)
        return effects

    def _gone(self, worker: _Worker, code: int, by: int, sight: Sight, stderr: list[str]) -> Gone:
        """Make what the broker is told of a worker's end, and of the task that is to blame."""
        self._n += 1
        gone = Gone(
            n=self._n,
            session=worker.session,
            pid=worker.pid,
            code=code,
            signal=by,
            task=sight.task,
            stderr="\n".join(stderr[-STDERR_LINES:]),
            stopped=worker.stopped,
            # It may just have ended: then what runs now is not to blame, and begins again.  So does
            # what was cancelled: somebody may have asked for it once more.
            overdue=bool(worker.overdue) and worker.overdue == sight.task,
            abrupt=self._unasked.is_abrupt(sight, code, by, leaving=self.leaving),
        )
        ended_by_us = worker.overdue or worker.unwanted
        if not gone.overdue and (
            ended_by_us or self._unasked.was_sent_away(sight, by, leaving=self.leaving)
        ):
            gone = msgspec.structs.replace(gone, task=b"")
        return gone

    def _mourn(
        self, slot: _Slot, worker: _Worker, gone: Gone, sight: Sight, now: float
    ) -> list[Effect]:
        """Say that a worker has died; of those that die as they start, only of some."""
        slot.last_words = last_words(gone.stderr) if slot.bad_starts else ""
        if slot.bad_starts >= 2 and slot.bad_starts % BAD_STARTS_SAID:
            return []
        text = obituary(
            worker.slot, gone, slot.bad_starts, slot.not_before - now,
            cancelled=worker.unwanted, stale=sight.stale,
        )  # fmt: skip
        return [Say(text, grave=slot.bad_starts > 1)]

    def _unfit(self, slot: _Slot, number: int, sight: Sight, why: str, now: float) -> list[Effect]:
        """One could not import the script: nor can this machine, unless another here has done so.

        Then something was missing for a moment, and what the others are at is worth more than that.
        """
        workers = (each.worker for each in self._slots)
        here = any(worker and worker.sight.imported for worker in workers)
        if self.leaving or sight.lacks or not here:
            return [*self.leave(), Unfit(why)]
        self.restarts += 1
        slot.not_before = now + LONGEST_DELAY_S
        text = (
            f"worker {number} could not import the script, which others on this machine could "
            f"({why}); trying again in {LONGEST_DELAY_S:.3g} s"
        )
        return [Say(text, grave=True)]

    def _retired(self, slot: _Slot, worker: _Worker, now: float) -> list[Effect]:
        """One has made room for another: nothing is wrong, unless it happens all the time."""
        slot.not_before, slot.bad_starts, slot.replacing = now, 0, True
        short = worker.too_large and now - worker.born < SHORT_LIFE_S
        slot.short_lives = slot.short_lives + 1 if short else 0
        if slot.short_lives != SHORT_LIVES_SAID:
            return []
        return [Say(self.limits.complaint(), grave=True)]

    def _plan_restart(self, slot: _Slot, worker: _Worker, sight: Sight, now: float) -> None:
        self.restarts += 1
        came_up = sight.ready or sight.task or sight.tasks_done
        if came_up or now - worker.born > STARTUP_S:
            slot.bad_starts = 0
            slot.not_before = now
            return
        slot.bad_starts += 1
        exponent = min(slot.bad_starts - 2, 16)
        delay = 0.0 if exponent < 0 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**exponent)
        slot.not_before = now + delay

    def _worker(self, session: bytes) -> _Worker | None:
        slot = self._by_session.get(session)
        return slot.worker if slot is not None else None

    # ---- time -----------------------------------------------------------------------------------

    def tick(self, now: float, sights: dict[bytes, Sight]) -> list[Effect]:
        """Do what is due.  ``sights`` is what the driver sees of the workers just now."""
        if now - self._last_tick > SILENCE_S / 2:
            self._last_heard = now  # it was this process that slept, not the broker
        self._last_tick = now
        self._look(sights, now)
        effects = [*self._too_large(), *self._end_overdue(now), *self._fill_slots(now)]
        if self._connected and (self._changed or now >= self._next_heartbeat):
            effects.append(Send(self._heartbeat(now)))
        if now - self._last_heard > SILENCE_S:
            self._connected = False
            self._last_heard = now
            effects.append(Reconnect())
        return effects

    def next_tick(self, now: float) -> float:
        """Return when `tick` has something to do at the latest."""
        times = [self._next_heartbeat if self._connected else self._last_tick + HEARTBEAT_S]
        times += [worker.sight.deadline for worker in self._limited()]
        times += [worker.ends_at() for worker in self._cancelled()]
        if not self.leaving:
            slots = self._slots if self.welcome else self._slots[: self._at_once]
            times += [slot.not_before for slot in slots if slot.worker is None]
        return min(times)

    def _look(self, sights: dict[bytes, Sight], now: float) -> None:
        for session, sight in sights.items():
            worker = self._worker(session)
            if worker is None:
                continue
            if sight.task != worker.sight.task:
                worker.task_since = now
            if sight.ready and not worker.sight.ready:
                self._changed = True
                self._by_session[session].bad_starts = 0
                self._by_session[session].replacing = False
            if not sight.cancelled or sight.task != worker.sight.task:
                worker.cancelled_at = 0.0
            if sight.cancelled and not worker.cancelled_at:
                worker.cancelled_at = now
            worker.sight = sight
            self.imported |= sight.imported
            self._by_session[session].replacing |= sight.retired

    def _too_large(self) -> Iterator[Effect]:
        for slot in self._slots:
            worker = slot.worker
            if worker and not worker.too_large and self.limits.is_too_large(worker.sight):
                worker.too_large = True
                yield Retire(worker.session)

    def _limited(self) -> list[_Worker]:
        """Return the workers whose task has a time limit, and that were not killed for it."""
        workers = (slot.worker for slot in self._slots)
        return [w for w in workers if w and w.sight.deadline and w.may_be_ended()]

    def _cancelled(self) -> list[_Worker]:
        """Return the workers whose task was cancelled, and that were not killed for it."""
        workers = (slot.worker for slot in self._slots)
        return [w for w in workers if w and w.cancelled_at and w.may_be_ended()]

    def _end_overdue(self, now: float) -> list[Effect]:
        """Kill the workers whose task shall end, now or before: nothing else ends every task."""
        effects: list[Effect] = []
        for worker in self._cancelled():
            if now >= worker.ends_at():
                worker.unwanted = True
                effects.append(Kill(worker.session, signal.SIGKILL))
        for worker in self._limited():
            if now >= worker.sight.deadline:
                worker.overdue = worker.sight.task
                effects.append(Kill(worker.session, signal.SIGKILL))
        return effects

    def _fill_slots(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        slots = self._slots if self.welcome else self._slots[: self._at_once]
        for number, slot in enumerate(slots):
            if slot.worker is None and not self.leaving and now >= slot.not_before:
                slot.worker = _Worker(number, next(self._sessions), born=now)
                self._by_session[slot.worker.session] = slot
                effects.append(Spawn(number, slot.worker.session))
        return effects

    def _heartbeat(self, now: float) -> Heartbeat:
        self._changed = False
        self._next_heartbeat = now + HEARTBEAT_S
        workers = (slot.worker for slot in self._slots)
        return Heartbeat([w.report(now) for w in workers if w is not None and w.pid])

    # ---- the broker -----------------------------------------------------------------------------

    def connecting(self, now: float) -> list[Effect]:
        """Begin a conversation: a new connection is being made."""
        self._connected = False
        self._last_heard = now
        self._connections += 1
        return [Send(Hello(PROTOCOL_VERSION, self.session, "agent", self._host, self._pid,
                           b"", [], [], self._connections))]  # fmt: skip

    def lost(self) -> list[Effect]:
        """Note that the connection has ended."""
        self._connected = False
        return [Reconnect()]

    def received(self, message: Any, now: float) -> list[Effect]:
        """Take in a message from the broker."""
        self._last_heard = self._answered_at = now
        if isinstance(message, Stats):
            self.stats = message.stats
            self._stats_at = now
        elif isinstance(message, Ack):
            self._unacknowledged = [gone for gone in self._unacknowledged if gone.n > message.n]
        elif isinstance(message, Welcome):
            self.welcome = message
            self._connected = self._changed = True
            return [Send(gone) for gone in self._unacknowledged]
        elif isinstance(message, Unknown):
            self._connected = False
            return [Reconnect()]
        elif isinstance(message, (Refused, Stop)):
            refused = isinstance(message, Refused)
            return [*self.leave(), Finished(message.reason, refused)]
        return []

    def leave(self) -> list[Effect]:
        """End: start no worker any more and tell those that live."""
        self.leaving = True
        workers = (slot.worker for slot in self._slots)
        return [Kill(w.session, signal.SIGTERM) for w in workers if w is not None and w.pid]


def _is_up(worker: _Worker | None) -> bool:
    return worker is not None and worker.sight.ready
