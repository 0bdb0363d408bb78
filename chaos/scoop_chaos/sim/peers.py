"""The processes of a run but the broker: root, workers and agents, from the product's own parts."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scoop_ft.client.runtime import RootRuntime
from scoop_ft.client.session import Session
from scoop_ft.errors import BrokenRun
from scoop_ft.launch.agent import Agent
from scoop_ft.launch.effects import Finished, Kill, Reconnect, Send, Sight, Spawn
from scoop_ft.slate import SIZE, Slate
from scoop_ft.wire.codec import decode_from_broker, encode
from scoop_ft.wire.messages import End
from scoop_ft.worker.runner import Crew
from scoop_ft.worker.runtime import WorkerRuntime
from scoop_ft.worker.session import WorkerSession

from .link import SimLink
from .network import Connection
from .process import Process

if TYPE_CHECKING:
    from .world import World

LEAVE_S = 2.0  # as long as a worker that leaves waits for the broker
HELP_S = 0.01
ROOM_BYTES = 40  # of results that nobody has taken: so few that they often wait


class MemorySlate(Slate):
    """A slate that no other process has to see."""

    def __init__(self) -> None:
        self._bytes = memoryview(bytearray(SIZE))
        self.words = self._bytes.cast("Q")


class SimRoot:
    """The process that runs the script.

    Parameters
    ----------
    world : World
    number : int
        The how many-th root of this run it is.
    script : callable
        What it runs; the answer.
    """

    def __init__(self, world: World, number: int, script: Callable[[], Any]) -> None:
        self.world = world
        self.name = f"root{number}"
        self.script = script
        self.program: Any = None
        self.process = process = Process(world.clock, self.name, "home")
        self.session = Session(world.new_session(), "root", "home")
        self.session.room.size = ROOM_BYTES
        connection = Connection(world.network, "home", lambda: self.link.arrived())
        self.link: SimLink = SimLink(
            process,
            self.session,
            connection,
            lambda: self.runtime.flush_open(),
            world.witness,
            world.owed,
        )
        self.runtime = RootRuntime(self.session, self.link)  # type: ignore[arg-type]
        process.runtime = self.runtime
        process.on_end = lambda: world.root_ended(self)
        process.start(self._main, world.draw_start())

    def _main(self) -> None:
        self.link.start()
        try:
            answer = self.script()
            self.runtime.flush()
            self.world.answered(self, answer)
            self.session.keep(End(self.session.number(), 0))
            self.link.wait(self.session.all_acknowledged)
        except BrokenRun as error:
            self.world.trace(self.name, "ends", str(error))
            return
        self.world.ended(self)

    def kill(self) -> None:
        """It is gone at once."""
        self.process.kill()
        self.link.connection.close()


class SimWorker:
    """A worker's process."""

    def __init__(self, world: World, session: bytes, agent: SimAgent) -> None:
        self.world = world
        self.agent = agent
        self.name = world.trace.name_of(session)
        self.slate = MemorySlate()
        self.process = process = Process(world.clock, self.name, agent.host)
        self.session = WorkerSession(session, agent.host, agent.agent.session)
        self.session.room.size = ROOM_BYTES
        connection = Connection(world.network, agent.host, lambda: self.link.arrived())
        self.link: SimLink = SimLink(
            process, self.session, connection, self.session.flush, world.witness, world.owed
        )
        self.crew: Crew | None = None
        self.leaves_until = 0.0
        world.processes.append(process)
        process.on_end = lambda: agent.lose(self, code=1, by=0)
        process.start(self._main, world.draw_start())

    def _main(self) -> None:
        self.crew = crew = Crew(self.session, self.link, self.slate)  # type: ignore[arg-type]
        crew.calls.imported = True  # there is no script file here
        self.process.runtime = WorkerRuntime(self.session, self.link, crew)  # type: ignore[arg-type]
        self.process.enter()
        self.link.start()
        self.link.after_pump = self._look
        self.link.wait(lambda: self.session.welcomed)
        self.slate.ready()
        with contextlib.suppress(BrokenRun):  # told to stop: it leaves
            crew.run()
        self._leave()
        self.process.block(None)

    def _look(self) -> None:
        if self.crew is not None and (self.crew.leaving or self.session.ended):
            self._leave()

    def terminate(self) -> None:
        """SIGTERM: it takes note, and the next look at the socket makes it leave."""
        if self.crew is None:
            self.agent.lose(self, code=0, by=signal.SIGTERM)  # before there is a handler
            return
        self.crew.leaving = True
        self.process.wake()
        self.process.clock.after(HELP_S, lambda: self.process.run_aside(self._look))

    def _leave(self) -> None:
        if self.leaves_until:
            return
        self.link.after_pump = None
        now = self.process.clock.now
        self.leaves_until = now + LEAVE_S
        if self.session.ended:
            self.leaves_until = now
        else:
            self.session.leave()
        self._finish_leaving()

    def _finish_leaving(self) -> None:
        if self.process.clock.now < self.leaves_until and not self.session.all_acknowledged():
            self.link.pump()
            self.process.clock.after(HELP_S, lambda: self.process.run_aside(self._finish_leaving))
            return
        self.process.clock.after(
            0.0, lambda: self.process.run_aside(lambda: self.agent.lose(self, code=0, by=0))
        )

    def task(self) -> bytes:
        """Return the task that runs, as its slate says."""
        return self.slate.read()[0]

    def kill(self) -> None:
        """It is gone at once; nothing that it had begun is finished."""
        self.process.kill()
        self.link.connection.close()
        self.leave_no_code()

    def leave_no_code(self) -> None:
        """Leave nothing that its greenlets could run when they are unwound."""
        crew = self.crew
        if crew is not None:
            crew.leaving = True
            self.session.queue = type(self.session.queue)()
            crew.ready.clear()
            crew._yielded.clear()
            for runner in crew.runners:
                if runner.piece is not None:
                    runner.piece.stop = runner.piece.next
                self.process.adopt(runner)


class SimAgent:
    """An agent and its hands; it goes with the launcher, or is one of another machine."""

    def __init__(self, world: World, host: str, workers: int) -> None:
        self.world = world
        self.host = host
        self.workers: dict[bytes, SimWorker] = {}
        self.alive = True
        self.frozen = False
        self.name = f"agent-{host}"
        self.connection = Connection(world.network, host, lambda: self._soon(0.0))
        sessions = iter(world.new_session, b"")
        self.agent = Agent(world.new_session(), workers, sessions, host, 1)
        self.time = world.clocks[host].time
        self._pids = 0
        self._due = -1.0
        self._missed = False
        self._do([Reconnect()])
        self._soon(0.0)

    # ---- what the driver does --------------------------------------------------------------

    def _soon(self, seconds: float) -> None:
        when = self.world.clock.now + seconds
        if self._due < 0 or when < self._due:
            self._due = when
            self.world.clock.at(when, lambda: self._turn(when))

    def _turn(self, when: float) -> None:
        if not self.alive or when != self._due:
            return
        self._due = -1.0
        if self.frozen:
            self._missed = True
            return
        try:
            self._look(self.time())
        except Exception as error:  # noqa: BLE001 - whatever ends an agent is a defect
            self.world.defect(self.name, error)

    def _look(self, now: float) -> None:
        while (found := self.connection.receive()) is not None:
            message = decode_from_broker(*found)
            self.world.owed.hears(self.agent, message)
            self._do(self.agent.received(message, now))
            self.world.owed.heard(self.agent, message)
        if self.connection.ended():
            self._do(self.agent.lost())
        if now >= self.agent.next_tick(now) or self.agent.changed:
            sights = {session: self._sight(w) for session, w in self.workers.items()}
            self._do(self.agent.tick(now, sights))
        self._soon(max(0.001, self.agent.next_tick(now) - now))

    def _sight(self, worker: SimWorker) -> Sight:
        task, done, deadline_ns = worker.slate.look()
        left_s = deadline_ns * 1e-9 - self.world.clock.now
        return Sight(
            worker.slate.is_ready(),
            task,
            done,
            deadline=self.time() + left_s if deadline_ns else 0.0,
            left=True,
            cancelled=worker.slate.is_cancelled(),
            beside=worker.slate.has_others(),
        )

    def _do(self, effects: list[Any]) -> None:
        now = self.time()
        for effect in effects:
            if isinstance(effect, Send):
                self.connection.send((encode(effect.message), []))
            elif isinstance(effect, Spawn):
                self._pids += 1
                self.workers[effect.session] = SimWorker(self.world, effect.session, self)
                self._do(self.agent.started(effect.session, self._pids, now))
            elif isinstance(effect, Kill):
                self._signal(self.workers[effect.session], effect.signal)
            elif isinstance(effect, Finished):
                self.world.finished(self, effect.reason)
            elif isinstance(effect, Reconnect):
                self.connection.open()
                self._do(self.agent.connecting(now))

    def _signal(self, worker: SimWorker, number: int) -> None:
        if number == signal.SIGKILL:
            self.world.clock.after(0.0, lambda: self.lose(worker, code=0, by=number, meant=True))
        else:
            worker.process.run_aside(worker.terminate)

    # ---- what happens to its workers -------------------------------------------------------

    def lose(self, worker: SimWorker, *, code: int, by: int, meant: bool = False) -> None:
        """A worker's process has ended; ``meant`` by this agent, so that its task ends."""
        session = worker.session.session
        if self.workers.get(session) is not worker:
            return
        sight = self._sight(worker)
        self.world.worker_ended(worker, sight.task, crashed=bool(code or by), meant=meant)
        worker.kill()
        del self.workers[session]
        if not self.alive:
            return
        self.world.witness.died(self, session)
        now = self.time()
        self._do(self.agent.exited(session, code, by, sight, [], now))
        self._soon(0.0)

    def stopped(self, worker: SimWorker, stopped: bool) -> None:
        """A worker was stopped, or goes on."""
        if self.alive and self.workers.get(worker.session.session) is worker:
            self._do(self.agent.stopped(worker.session.session, stopped))
            self._soon(0.0)

    # ---- what happens to itself ------------------------------------------------------------

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self.frozen = False
        if self._missed:
            self._missed = False
            self._soon(0.0)

    def kill(self) -> None:
        """It is gone at once, and its workers with it."""
        self.alive = False
        self.connection.close()
        for worker in list(self.workers.values()):
            self.lose(worker, code=0, by=signal.SIGKILL)
