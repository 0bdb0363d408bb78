"""One run under faults, as the strikes see it: who lives, what was noted, what is to be undone.

Holds what `trial` and `strikes` share, and keeps the time of what has to happen later (a stopped
process goes on, a wire is joined).  Decides neither which fault comes nor what is right.
"""

from __future__ import annotations

import heapq
import itertools
import math
import signal
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import psutil

from scoop_ft.client.asking import ask

from ..faults import Fault
from .disk import SmallDisk
from .ledger import ROOT, Ledger, Line
from .plan import TrialPlan
from .recorded import Looker
from .recovery import Sign, Watches
from .stage import Stage
from .story import Harm, Story
from .victim import Away, Victim

PROBE_S: Final = 0.02  # between two questions to a broker that does not answer yet
PATIENCE_S: Final = 0.05  # for its answer


class Dying(NamedTuple):
    """The launcher was struck: what that does, and when to resume.

    Attributes
    ----------
    harm : Harm
        Over when the launcher is gone.
    told : bool
        It was told to end, and may do so in good order.
    before : list of int
        The pids of the processes that die with it.
    pause_s : float
        How long after its end to resume.
    """

    harm: Harm
    told: bool
    before: list[int]
    pause_s: float


class Scene:
    """A run, its ledger and its faults.

    Attributes
    ----------
    deaf : list of Harm
        The times without a broker that are not over.
    worked : set of int
        The pids that have noted something.
    cut : bool
        The other host cannot be reached now, in one way or both.
    """

    def __init__(
        self, plan: TrialPlan, stage: Stage, victim: Victim, disk: SmallDisk | None
    ) -> None:
        self.plan = plan
        self.stage = stage
        self.victim = victim
        self.disk = disk
        self.away: Away | None = None
        self.ledger = Ledger(victim.folder)
        self.story = Story(lines=self.ledger.lines)
        self.watches = Watches()
        self.looker = Looker(victim.directory.journal)
        self.deaf: list[Harm] = []
        self.cut = False
        self.answered_at = 0.0
        self.dying: Dying | None = None
        self.worked: set[int] = set()
        self._seen = 0
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._paused: dict[int, psutil.Process] = {}
        self._probe_at = 0.0

    # ---- later ----------------------------------------------------------------------------------

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something done after some time."""
        due = time.monotonic() + seconds
        heapq.heappush(self._later, (due, next(self._numbers), action))

    def do_due(self, now: float) -> None:
        """Do what is due."""
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()

    def undo_all(self) -> None:
        """Do at once all that is to be done later: the faults are over."""
        while self._later:
            heapq.heappop(self._later)[2]()

    @property
    def quiet(self) -> bool:
        """Whether nothing is broken, and the run has recovered from what was.

        It has not before each of its workers has come up and run something.
        """
        calm = not self._later and not self.deaf and self.watches.recovered
        if not calm or not self.plan.ours:
            return calm
        workers = self.workers()
        return bool(workers) and self.worked.issuperset(workers)

    # ---- looking --------------------------------------------------------------------------------

    def look(self) -> list[tuple[str, float]]:
        """Read what is new; return the recoveries that ended."""
        now = time.monotonic()
        if self.deaf and not self._stopped("broker") and now >= self._probe_at:
            self._probe_at = now + PROBE_S
            if self.victim.pid("broker") and ask(self.victim.directory, PATIENCE_S) is not None:
                self.answered_at = time.monotonic()
                for harm in self.deaf:
                    harm.until = self.answered_at
                self.deaf.clear()
        self.ledger.look()
        new, self._seen = self.ledger.lines[self._seen :], len(self.ledger.lines)
        self.worked.update(line.pid for line in new)
        return self.watches.look(new, time.monotonic())

    def read_journal(self) -> None:
        """Note what the journal holds now; only our programs' calls have names for it."""
        if self.plan.ours:
            self.story.looks.append(self.looker.look())

    def watch(self, kind: str, since: float, sign: Sign, *, needed: bool = True) -> None:
        """Time a recovery, where the program's notes can show it."""
        if self.plan.ours:
            self.watches.begin(kind, since, sign, needed=needed)

    def answered(self, since: float, what: str = "SEX") -> Sign:
        """Wait for the first line of a task after a broker has answered again."""

        def sign(new: list[Line], now: float) -> float | None:
            answered = self.answered_at
            if answered < since:
                return None
            lines = (line for line in new if line.what in what and line.key != ROOT)
            return next((line.at for line in lines if line.at >= answered), None)

        return sign  # type: ignore[return-value]

    def workers(self) -> list[int]:
        """Return the pids of all workers."""
        return [*self.victim.workers(), *(self.away.workers() if self.away else ())]

    # ---- harming --------------------------------------------------------------------------------

    def harm(self, what: str, fault: Fault, **more: Any) -> Harm:
        """Write down what is done to somebody, from now or ``at`` on."""
        harm = Harm(what, fault, more.pop("at", time.monotonic()), **more)
        self.story.harms.append(harm)
        return harm

    def without_broker(self, fault: Fault) -> None:
        """Write down that nobody has a broker until one answers."""
        self.deaf.append(self.harm("alone", fault))

    def broker_died(self, fault: Fault) -> None:
        """Write down that the broker has just died, and what the journal holds."""
        self.story.broker_deaths.append(time.monotonic())
        self.without_broker(fault)
        self.read_journal()

    def launcher_struck(self, harm: Harm, pause_s: float) -> None:
        """Write down that the launcher ends, by a fault, and all it has started with it."""
        others = [self.victim.pid("root"), self.victim.pid("broker"), *self.victim.workers()]
        before = [pid for pid in others if pid is not None]
        self.dying = Dying(harm, harm.what == "left", before, pause_s)

    def pause(self, pid: int, seconds: float, then: Callable[[], None]) -> bool:
        """Stop a process and let it go on after some time; False when it is gone."""
        try:
            process = psutil.Process(pid)
            process.send_signal(signal.SIGSTOP)
        except psutil.NoSuchProcess:
            return False
        self._paused[pid] = process

        def go_on() -> None:
            self._paused.pop(pid, None)
            try:
                process.send_signal(signal.SIGCONT)
            except psutil.NoSuchProcess:
                return
            then()

        self.later(seconds, go_on)
        return True

    def is_paused(self, pid: int | None) -> bool:
        """Tell whether we have stopped a process."""
        return pid in self._paused

    def _stopped(self, name: str) -> bool:
        return self.is_paused(self.victim.pid(name))

    def end_silence(self, harm: Harm) -> float:
        """A silence is over now; return the time."""
        harm.until = time.monotonic()
        return harm.until

    # ---- the disk -------------------------------------------------------------------------------

    def fill_disk(self) -> bool:
        """Fill the disk; False when it is full already."""
        if self.disk is None or (self.story.full and math.isinf(self.story.full[-1][1])):
            return False
        self.story.full.append((time.monotonic(), math.inf))
        self.disk.fill()
        return True

    def free_disk(self) -> float | None:
        """Free the disk; return the time, or None when it was not full."""
        if self.disk is None or not self.story.full or not math.isinf(self.story.full[-1][1]):
            return None
        self.disk.free()
        now = time.monotonic()
        self.story.full[-1] = (self.story.full[-1][0], now)
        return now
