"""One world: the processes of a run, what happens to them, and whether all went as it must.

`run` is the whole simulator: a plan in, an outcome out.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from scoop_journal import JournalBroken

from scoop_ft.broker import figures

from ..faults import Fault
from ..violations import LIVENESS, Violation
from . import inject, stage, stand_ins
from .answers import has_twins, serially
from .author import work_of_deaths_s
from .broker import SimBroker
from .checks import Checks
from .clock import Clock, HostClock, virtual_time
from .disk import SimJournal
from .network import Network
from .owed import Owed
from .peers import SimAgent, SimRoot, SimWorker
from .plan import Plan, Strike
from .process import Process
from .trace import Trace
from .witness import Witness
from .workload import Program, script

PATIENCE_S: Final = 60.0  # once all faults are over, everything must end within so long
MOST_EVENTS: Final = 100_000
DEFECT: Final = 27  # our own code ends by no error of its own: users' runs elsewhere
ROOT_PATIENCE_S: Final = 2.0  # as long as the launcher's
HOSTS: Final = ("home", "afar")


@dataclass
class Outcome:
    """How a world went.

    Attributes
    ----------
    strikes, struck : list of str
        The faults as they were planned, and their kinds.
    trace : list of str
        What happened, where that was asked for.
    """

    seed: int
    violations: list[Violation]
    events: int
    seconds: float
    strikes: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)


class World:
    """Everything there is.

    Parameters
    ----------
    plan : Plan
    tracing : bool
        Write down what happens.
    """

    def __init__(self, plan: Plan, *, tracing: bool = False) -> None:
        self.plan = plan
        self.clock = virtual_time.clock = Clock()
        self.trace = Trace(self.clock, wanted=tracing)
        self.rng = Random(plan.seed ^ 0x5C00)
        self.program: Program = plan.program
        self.network = Network(self.clock, self.rng, plan.latency_s)
        self.sync_s = plan.sync_s
        self.journal = SimJournal("a-run", self.clock, self._draw_sync)
        self.clocks = {host: HostClock(self.clock, 100.0) for host in HOSTS}
        self.violations: list[Violation] = []
        self.checks = Checks(self)
        self.witness = Witness(self)
        self.owed = Owed(self)
        self.journal.on_commit = self.checks.committed
        self.journal.on_torn = self.witness.torn
        self.broker: SimBroker | None = None
        self.root: SimRoot | None = None
        self.home: SimAgent | None = None
        self.remote: SimAgent | None = None
        self.processes: list[Process] = []
        self.edited = False  # an edited parent's children are new, though their keys are not
        self._sessions = 0
        self.roots = 0
        self._launcher = 1  # the how many-th of this run
        self._answers: dict[str, Any] = {}
        self._dead_once: set[str] = set()
        self.struck: set[Fault] = set()
        self._pending = 0  # faults that have not ended
        self._calm_since = 0.0
        self._over = False
        self._struck: list[Strike] = []
        self._twins = has_twins(plan.program)

    # ---- small things ----------------------------------------------------------------------

    def new_session(self) -> bytes:
        """Return a session that nobody else has."""
        self._sessions += 1
        return self._sessions.to_bytes(8, "big")

    def draw_start(self) -> float:
        """Return how long a process takes to start."""
        return self.plan.start_s * (0.5 + self.rng.random())

    def _draw_sync(self) -> float:
        return self.sync_s * (0.5 + self.rng.random())

    def flip(self) -> bool:
        """Toss a coin."""
        return self.rng.random() < 0.5

    def broker_time(self) -> float:
        """Return what the broker's clock shows."""
        return self.clocks["home"].time()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """End a fault after some time; until then it is not calm."""
        self._pending += 1

        def end() -> None:
            self._pending -= 1
            self._calm_since = self.clock.now
            call()

        self.clock.after(seconds, end)

    def agents(self) -> list[SimAgent]:
        """Return the agents that live."""
        return [agent for agent in (self.home, self.remote) if agent is not None]

    # ---- processes come and go -------------------------------------------------------------

    def start_broker(self, *, resume: bool = False) -> None:
        """Start a broker on the journal there is."""
        before = self.broker.core.book if self.broker is not None else None
        synced = self.journal.synced_seq
        self.checks.new_broker()
        try:
            self.broker = SimBroker(self, resume=resume)
        except JournalBroken as error:
            self.trace("broker", "fails", str(error))
            self.journal.crash()
            self._broker_later(0.3, resume=resume)
            return
        except Exception as error:  # noqa: BLE001 - whatever keeps a broker from starting
            self.defect("broker", error)
            return
        self.trace("broker", "starts", f"incarnation {self.broker.core.incarnation}")
        self.broker.pace = self.plan.pace
        self.checks.opened()
        if before is not None:
            self.checks.compare(before, synced, self.broker.core, resume=resume)
        if resume:
            self.checks.resumed(self.broker.core)

    def start_root(self) -> None:
        """Start the script, once more."""
        self.roots += 1
        program = self.program
        self.root = SimRoot(self, self.roots, lambda: script(program, self.plan.saving))
        self.root.program = program
        self.trace.names[self.root.session.session] = self.root.name
        self.processes.append(self.root.process)

    def start_home(self) -> None:
        """Start what a launcher starts."""
        self.home = SimAgent(self, "home", self.plan.workers)
        self.trace.names[self.home.agent.session] = self.home.name

    def start_remote(self) -> None:
        """Start an agent on another machine."""
        if self.remote is None:
            self.remote = SimAgent(self, "afar", self.plan.remote_workers)
            self.trace.names[self.remote.agent.session] = self.remote.name

    def kill_broker(self, *, down: float) -> None:
        """SIGKILL; its supervisor starts another after some time."""
        broker = self.broker
        if broker is None or not broker.alive:
            return
        broker.kill()
        self.trace("broker", "dies", "")
        self._broker_later(down, resume=False)

    def _broker_later(self, seconds: float, *, resume: bool) -> None:
        """Its launcher starts a broker in a while, if it lives then."""
        launcher = self._launcher

        def start() -> None:
            running = self.broker is not None and self.broker.alive
            if launcher == self._launcher and not running:
                self.start_broker(resume=resume)

        self.later(seconds, start)

    def broker_failed(self, error: Exception) -> None:
        """Its disk failed: it has ended by itself."""
        self.trace("broker", "fails", str(error))
        self.kill_broker(down=0.3)

    def kill_root(self, *, down: float) -> None:
        """SIGKILL; its supervisor starts another after some time."""
        root, self.root = self.root, None
        if root is None:
            return
        root.kill()
        self.trace(root.name, "dies", "")
        self.later(down, self._root_again)

    def _root_again(self) -> None:
        if self.root is None and self.home is not None:
            self.start_root()

    def kill_home(self, *, down: float) -> None:
        """The launcher dies, and all that it started; somebody resumes the run after a while."""
        home, self.home = self.home, None
        if home is None:
            return
        self._launcher += 1
        self.trace("launcher", "dies", "")
        if self.root is not None:
            self.root.kill()
            self.root = None
        if self.broker is not None and self.broker.alive:
            self.broker.kill()
        home.kill()
        self.later(down, self._resume)

    def _resume(self) -> None:
        self.start_broker(resume=True)
        self.start_home()
        self.start_root()

    def root_ended(self, root: SimRoot) -> None:
        """The script's process has ended without an answer: a defect, or it was told to."""
        if root is not self.root:
            return
        if root.process.failure is not None:
            self.defect(root.name, root.process.failure)
        self.root = None
        self.later(0.1, self._root_again)

    def worker_ended(
        self, worker: SimWorker, task: bytes, *, crashed: bool, meant: bool = False
    ) -> None:
        """A worker's process has ended; ``meant`` by its agent."""
        if worker.process.failure is not None:
            self.defect(worker.name, worker.process.failure)
        if meant:
            self.checks.ended()
        elif crashed and task:
            self.checks.died(task, worker.session.session)
        self.trace(worker.name, "dies" if crashed else "leaves", task.hex()[-12:])

    # ---- what tasks do ---------------------------------------------------------------------

    def began(self, process: Process, key: str) -> int:
        """A task begins; return for the how many-th time."""
        self.trace(process.name, "begins", key)
        self.checks.began(key, process.name)
        return self.checks.executed[key]

    def names_tasks(self) -> bool:
        """Does a key name one task, so that it must not be computed again once recorded?"""
        return not (self.edited or self._twins)

    def first_death(self, key: str) -> bool:
        """Is this the first time that it kills its worker?"""
        fresh = key not in self._dead_once
        self._dead_once.add(key)
        return fresh

    def dies(self, process: Process) -> None:
        """A task kills its worker, at once."""
        for agent in self.agents():
            for worker in agent.workers.values():
                if worker.process is process:
                    self.clock.after(0.0, lambda w=worker: w.agent.lose(w, code=0, by=11))  # type: ignore[misc]

    def may_blame(self, task: bytes) -> bool:
        """May a worker be killed that runs this task, without the task being given up?"""
        return not task or self.checks.deaths[task] + 2 < self.plan.max_attempts

    def may_blame_all(self, agent: SimAgent) -> bool:
        """The same for all workers of an agent."""
        return all(self.may_blame(worker.task()) for worker in agent.workers.values())

    def wrong(self, text: str) -> None:
        """A task has seen what must not be."""
        self.violated(2, text)

    # ---- the end ---------------------------------------------------------------------------

    def answered(self, root: SimRoot, answer: Any) -> None:
        """The script has its answer."""
        if self.root is not root:
            return
        expected = serially(root.program)
        if answer != expected:
            self.violated(30, f"{root.name} answers {answer}, serially it is {expected}")

    def ended(self, root: SimRoot) -> None:
        """The end of the run is acknowledged."""
        self.trace(root.name, "ends", "")
        if self.root is root:
            self.checks.look()
            self.witness.ends(root.session)
            self._over = True

    def finished(self, agent: SimAgent, reason: str) -> None:
        """An agent was told that the run is over: its launcher waits for the root no longer."""
        self.trace(agent.name, "finished", reason)
        if agent is self.home:
            self.clock.after(ROOT_PATIENCE_S, lambda: self._let_go(agent))

    def _let_go(self, agent: SimAgent) -> None:
        if agent is self.home:
            self.checks.look()
            self._over = True

    def defect(self, name: str, error: BaseException) -> None:
        """A process has ended by an error of its own."""
        self.violated(DEFECT, f"{name} failed: {error!r}")

    def violated(self, invariant: int, text: str) -> None:
        """Something did not hold."""
        violation = Violation(invariant, text)
        if violation not in self.violations:
            self.violations.append(violation)
            self.trace("VIOLATION", "", str(violation))
        self._over = True

    # ---- running ---------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen."""
        self.start_broker()
        self.start_home()
        if self.plan.remote_workers:
            self.start_remote()
        self.start_root()
        by_event = sorted((s for s in self.plan.strikes if s.event), key=lambda s: s.event)
        for each in self.plan.strikes:
            if not each.event:
                self._pending += 1
                self.clock.at(each.time, lambda each=each: self._strike_in_time(each))  # type: ignore[misc]
        clock = self.clock
        patience_s = PATIENCE_S + work_of_deaths_s(self.plan.program, self.plan.max_attempts)
        while not self._over and clock.step():
            while by_event and clock.events >= by_event[0].event:
                self._strike(by_event.pop(0))
            if self._pending == 0 and clock.now - self._calm_since > patience_s:
                if by_event:
                    self._strike(by_event.pop(0))
                    continue
                self.violated(LIVENESS, self.why())
            if clock.events > MOST_EVENTS:
                self.violated(LIVENESS, f"{MOST_EVENTS} events: {self.why()}")

    def _strike_in_time(self, each: Strike) -> None:
        self._pending -= 1
        self._strike(each)

    def _strike(self, each: Strike) -> None:
        self._calm_since = self.clock.now
        self._struck.append(each)
        self.struck.add(each.fault)
        self.trace("FAULT", "", str(each))
        inject.strike(self, each)

    def why(self) -> str:
        """Say what waits for what."""
        parts = []
        if self.broker is None or not self.broker.alive:
            parts.append("no broker lives")
        else:
            stats = figures.stats(self.broker.core)
            parts.append(f"broker: {stats['waiting'] or 'waits for nothing'}, {stats['tasks']}")
        if self.root is not None:
            session = self.root.session
            waits = [scope.waits_for() for scope in session.scopes.values()]
            kept = [type(m).__name__ for _, m, _, _, _ in session._unacknowledged]
            parts.append(f"root: waits for ordinals {waits}, unacknowledged {kept}")
        for agent in self.agents():
            for worker in agent.workers.values():
                running = [task.hex()[-12:] for task in worker.session.running]
                kept = [type(m).__name__ for _, m, _, _, _ in worker.session._unacknowledged]
                parts.append(f"{worker.name}: runs {running}, unacknowledged {kept}")
        return "; ".join(parts)

    def outcome(self) -> Outcome:
        """Return how it went."""
        return Outcome(
            self.plan.seed, self.violations, self.clock.events, self.clock.now,
            [str(each) for each in self._struck], [each.fault.value for each in self._struck],
            self.trace.lines,
        )  # fmt: skip

    def close(self) -> None:
        """Free what the processes hold."""
        for process in self.processes:
            if process.alive:
                process.kill()
        for agent in self.agents():
            for worker in agent.workers.values():
                worker.leave_no_code()
        for process in self.processes:
            process.unwind()


def run(plan: Plan, *, tracing: bool = False) -> Outcome:
    """Run the world of a plan.

    Parameters
    ----------
    plan : Plan
    tracing : bool
        Keep a line for each thing that happens.

    Examples
    --------
    >>> from scoop_chaos.sim.plan import draw
    >>> run(draw(1)).violations
    []
    """
    with stand_ins.in_place(virtual_time, large=plan.large), _no_collection():
        world = stage.world = World(plan, tracing=tracing)
        try:
            world.run()
        finally:
            world.close()
            stage.world = None
    return world.outcome()


@contextmanager
def _no_collection() -> Iterator[None]:
    """What is collected when depends on what ran before, and gives up the futures in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
