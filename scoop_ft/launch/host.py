"""This host's part in a run: does what its `Agent` decides, with real processes and a real socket.

Used by the launcher for its own workers, and by ``scoop-ft worker`` alone (`serve`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..resources import NOTHING
from ..rundir import RunDir
from ..slate import Slate
from . import commands, threads
from .agent import Agent
from .effects import Effect, Finished, Kill, Reconnect, Retire, Say, Send, Sight, Spawn, Unfit
from .output import Log, Screen
from .prints import WorkerOutput
from .processes import Child, Children, Exited, Meter, usable_cores
from .recycling import NO_LIMITS, Limits

if TYPE_CHECKING:
    from ..client.connection import Connection
    from .surround import Around


class Host:
    """An agent with hands.

    Parameters
    ----------
    run : RunDir
        Where slates and logs are.
    workers : int
        How many to keep.
    environment : dict
        For the workers.
    cwd : str
        For the workers.
    children, screen
        Shared with whoever else starts processes and writes here.
    log_prefix : str
        What the workers' logs are called; unique among the agents that share the run directory.
    around : Around, optional
        What the workers are started in.
    limits : Limits
        What a worker may do before another takes its place.
    resources : mapping
        What each worker has for tasks that ask for it.
    at_once : int, optional
        How many workers may be started before the broker has answered.
    elsewhere : bool
        This machine is not the root's: it may lack what the script needs.

    Attributes
    ----------
    unfit : str
        What this machine lacks that the run needs; empty while nothing is known of that.
    """

    def __init__(
        self,
        run: RunDir,
        workers: int,
        environment: dict[str, str],
        cwd: str,
        children: Children,
        screen: Screen,
        *,
        log_prefix: str = "worker",
        around: Around | None = None,
        limits: Limits = NO_LIMITS,
        resources: Mapping[str, int] = NOTHING,
        at_once: int | None = None,
        elsewhere: bool = False,
    ) -> None:
        self._around = around
        self._elsewhere = elsewhere
        self.unfit = ""
        self._resources = resources
        self._log_prefix = log_prefix
        self.agent = Agent(
            os.urandom(8),
            workers,
            iter(lambda: os.urandom(8), b""),
            socket.gethostname(),
            os.getpid(),
            limits,
            at_once,
        )
        self.finished: Finished | None = None
        self.spawned = False  # since it was last set to False
        self._run = run
        self._environment = threads.limited(environment, workers, usable_cores())
        self._cwd = cwd
        self._children = children
        self._screen = screen
        self._connection: Connection | None = None
        self._meter = Meter()
        self._by_session: dict[bytes, tuple[Child, Slate, WorkerOutput]] = {}

    # ---- connection -----------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin to speak to the broker.  (Start the workers before: importing zmq takes time.)"""
        from ..client.connection import Connection

        self._connection = Connection(self._run.endpoint, self._run.client_keys, keep_unread=True)
        self._do([Reconnect()])

    @property
    def sockets(self) -> list[Any]:
        """What to poll for reading."""
        return self._connection.sockets if self._connection is not None else []

    def listen(self) -> None:
        """Take in all that the broker has sent, and the end of the connection."""
        connection = self._connection
        if connection is None:
            return
        ended = connection.ended()  # asked first: what came before the end is there by now
        while (received := connection.receive()) is not None:
            self._do(self.agent.received(received[0], time.monotonic()))
        if ended:
            self._do(self.agent.lost())

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    # ---- workers --------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let the agent do what is due."""
        if self.wait_s() > 0 and not self.agent.changed:
            return
        sights = {
            session: self._sight(child, slate)
            for session, (child, slate, _) in self._by_session.items()
        }
        self._do(self.agent.tick(time.monotonic(), sights))

    def wait_s(self) -> float:
        """Return for how long `tick` has nothing to do."""
        now = time.monotonic()
        return max(0.0, self.agent.next_tick(now) - now)

    def output(self, child: Child, stream: str, data: bytes) -> None:
        """Take in what a worker printed."""
        if data:
            self._by_session[child.key][2].feed(stream, data)

    def exited(self, change: Exited) -> None:
        """Take in that a worker's process has ended."""
        child, slate, output = self._by_session.pop(change.child.key)
        for stream, data in self._children.drain(child):
            output.feed(stream, data)
        output.end()
        sight = self._sight(child, slate)
        slate.close()
        self._run.slate(child.key).unlink(missing_ok=True)
        self._meter.forget(child.pid)
        now = time.monotonic()
        self._do(
            self.agent.exited(
                child.key, change.code, change.signal, sight, output.tail.lines(), now
            )
        )

    def paused(self, child: Child) -> None:
        """Take in that a worker was stopped, or goes on."""
        self._do(self.agent.stopped(child.key, child.stopped))

    def leave(self) -> None:
        """Start no more workers and tell those that live to end."""
        self._do(self.agent.leave())

    def workers(self) -> Iterable[Child]:
        """Return the workers that live."""
        return [child for child, _, _ in self._by_session.values()]

    def _sight(self, child: Child, slate: Slate) -> Sight:
        task, done, deadline_ns = slate.look()
        rss = 0 if child.reaped else self._meter.rss_bytes(child.pid)
        return Sight(
            ready=slate.is_ready(),
            task=task,
            tasks_done=done,
            rss_bytes=rss,
            retired=slate.has_retired(),
            deadline=deadline_ns * 1e-9,
            left=slate.has_left(),
            unfit=slate.is_unfit(),
            lacks=slate.lacks(),
            stale=slate.is_stale(),
            imported=slate.has_imported(),
            cancelled=slate.is_cancelled(),
            beside=slate.has_others(),
        )

    # ---- doing ----------------------------------------------------------------------------------

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                if self._connection is not None:
                    self._connection.send(effect.message)
            elif isinstance(effect, Spawn):
                self._spawn(effect)
            elif isinstance(effect, Kill):
                child, slate, _ = self._by_session[effect.session]
                slate.dismiss()
                child.signal(effect.signal)
            elif isinstance(effect, Retire):
                self._by_session[effect.session][1].retire_after(1)
            elif isinstance(effect, Say):
                (self._screen.say if effect.grave else self._screen.note)(effect.text)
            elif isinstance(effect, Finished):
                self.finished = effect
            elif isinstance(effect, Unfit):
                self.unfit = effect.reason
            else:
                self._reconnect()

    def _reconnect(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.open()
        except RunError as error:  # no endpoint yet: silence will bring us here again
            self._screen.say(str(error))
        self._do(self.agent.connecting(time.monotonic()))

    def _spawn(self, order: Spawn) -> None:
        session = order.session
        command = commands.worker(
            self._run, session, self.agent.session, self._resources, elsewhere=self._elsewhere
        )
        if self._around is not None:
            command = self._around.command(command)
        made = contextlib.ExitStack()
        try:
            slate = Slate.create(self._run.slate(session))
            made.callback(self._run.slate(session).unlink, missing_ok=True)
            made.callback(slate.close)
            slate.retire_after(self.agent.limits.tasks)
            log = Log(self._run.log(f"{self._log_prefix}-{order.slot}"))
            made.callback(log.close)
            child = self._children.start(
                "worker", command, self._environment, cwd=self._cwd, key=session
            )
        except OSError as error:  # out of processes, memory or disk: as if it had died at start
            made.close()  # it is tried again and again
            now = time.monotonic()
            self._do(self.agent.exited(session, 1, 0, Sight(), [str(error)], now))
            return
        self.spawned = True
        self._by_session[session] = (child, slate, WorkerOutput(log, self._screen))
        self._do(self.agent.started(session, child.pid, time.monotonic()))
