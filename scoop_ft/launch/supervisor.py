"""The launcher's loop: one run's broker, root and workers, from their start to their end.

What is decided is decided in `agent` and `upkeep`; this brings together what they need (a poll
loop over signals, pipes and the broker's messages) and carries out the end of a run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import Any, Final

from ..rundir import Live, LiveProcess, RunDir, RunInfo
from . import commands, suspending
from .agent import STDERR_LINES
from .effects import Finished
from .ending import Ending
from .growth import Watch
from .host import Host
from .hosts.fleet import Fleet
from .output import Log, Screen, Tail
from .place import Place
from .prints import RootOutput
from .processes import Child, Children, Exited, Meter, Wakeup, usable_cores
from .progress import Figures, Progress
from .recycling import Limits
from .stopping import AT_ONCE_S, TIME_IS_OVER, Stop, asked_by
from .surround import around
from .upkeep import Again, BrokerUpkeep, GiveUp, RootEnded, RootUpkeep

LONGEST_WAIT_S: Final = 0.5
ROOT_PATIENCE_S: Final = 2.0  # for the root to end once the broker says that the run is over
NEWS_S: Final = 2.0  # until it is known here that the run is over, however busy the machine is
SILENCE_WORTH_SAYING_S: Final = 1.5
BROKER_AND_ROOT: Final = 2  # processes that are started first


class Supervisor:
    """Everything that lives of one run.

    Parameters
    ----------
    run, info
        The run; its directory is there, its lock is held.
    done_before : int or None
        None: it is a new one.  Else how many of its tasks are done.
    quiet, verbose : bool
        How much to say.
    keep_failed : bool
        On resume, what failed is not tried again.
    stop_after_s : float or None
        When to stop if the script has not ended.
    recorded_code : bool
        The code that is recorded counts in this launch, whatever ``info`` says for all to come.
    """

    def __init__(
        self, run: RunDir, info: RunInfo, *, done_before: int | None, quiet: bool, verbose: bool,
        keep_failed: bool = False, stop_after_s: float | None = None, recorded_code: bool = False,
    ) -> None:  # fmt: skip
        self._keep_failed = keep_failed
        self._recorded_code = recorded_code or info.recorded_code
        self._growth = Watch(info.journal_limit)
        self._run = run
        self._resuming = done_before is not None
        self._info = info
        self._quiet = quiet
        self._verbose = verbose
        self._began = time.monotonic()
        self._stop_at = None if stop_after_s is None else self._began + stop_after_s
        self._bar = not quiet and os.isatty(2)
        self.progress = Progress(self._began, done_before or 0)
        self.screen = Screen(self.progress.draw if self._bar else None, quiet=quiet)
        self._children = Children()
        self._meter = Meter()
        self._broker_upkeep = BrokerUpkeep()
        self._root_upkeep = RootUpkeep(info.max_attempts)
        self._broker: Child | None = None
        self._root: Child | None = None
        self._broker_tail = Tail(STDERR_LINES)
        self._broker_log = Log(run.log("broker"))
        self._root_output = RootOutput(self.screen, Log(run.log("root")))
        self._around = around(info.surroundings)
        self.host = Host(
            run,
            info.workers,
            self._environment(read=True),
            info.cwd,
            self._children,
            self.screen,
            around=self._around,
            limits=Limits(info.max_tasks_per_worker, info.max_memory_per_worker),
            resources=info.resources,
            # All wait for the broker, and it shares the cores with whoever is started beside it.
            # But a resumed run may have workers elsewhere already, which lack the modules that only
            # tasks import until one from here has told of them: these are not to be first.
            at_once=None if self._resuming else max(0, usable_cores() - BROKER_AND_ROOT),
        )
        self._fleet = Fleet(run, info, self._children, self.screen)
        self._places: dict[str, Place] = {"worker": self.host, "ssh": self._fleet}
        self._ending: Ending | None = None
        self._over_since: float | None = None  # when the broker said that the run is over
        self._live_changed = True
        self._turned_away: dict[str, str] = {}  # what was said of them
        self.gave_up: GiveUp | None = None
        self.stopped: Stop | None = None

    # ---- from start to end ----------------------------------------------------------------------

    @property
    def exit_code(self) -> int:
        """What the run ended with."""
        return self._ending.exit_code if self._ending is not None else 1

    def main(self) -> None:
        """Run it all."""
        wakeup = Wakeup()
        try:
            self._start_broker()
            self._start_root()
            self.host.tick()
            self._save_live()
            self.host.connect()
            while not self._over():
                self._round(wakeup)
        finally:
            self._children.kill_all()  # nobody, but for an error of our own
            self.host.close()
            self._broker_log.close()
            self._root_output.close()
            wakeup.close()

    def _over(self) -> bool:
        return self._ending is not None and not self._children.alive

    def _round(self, wakeup: Wakeup) -> None:
        """Wait for something to happen, and act on it."""
        for descriptor in self._poll(wakeup):
            got = self._children.read(descriptor)
            if got is not None and got[2]:
                self._output(*got)
        for number in wakeup.take():
            stop = asked_by(number)
            if suspending.is_asked_by(number):
                suspending.suspend(self._children.alive.values())
            elif stop is not None:
                self._asked_to_end(stop)
        self._look_at_the_clock()
        for change in self._children.changes():
            if isinstance(change, Exited):
                self._exited(change)
            elif change.child.role == "worker":
                self.host.paused(change.child)
        self.host.listen()
        for place in self._places.values():
            place.tick()
        if lost := self._fleet.hopeless(self.host.agent.stats.get("workers_known")):
            self._give_up(GiveUp(lost, 2, at_start=True))
        self._root_output.tick()
        self._show()
        if self.host.spawned or self._live_changed:
            self._save_live()
        if self.host.finished is not None:
            self._finished(self.host.finished)
        if self._ending is not None:
            self._ending.step()

    def _finished(self, told: Finished) -> None:
        """The broker wants no workers any more: it refused them, or the run is over."""
        now = time.monotonic()
        recorded = self.host.agent.stats.get("exit_code")
        if told.refused:
            self._give_up(GiveUp(f"the broker refused: {told.reason}", 1))
        elif self._over_since is None:
            self._over_since = now
        elif self._is_overdue(now) and self._root_has_begun_again():
            self._end(recorded or 0)

    def _is_overdue(self, now: float) -> bool:
        """Is the run over for longer than a script's process needs to end?"""
        return self._over_since is not None and now - self._over_since > ROOT_PATIENCE_S

    def _root_has_begun_again(self) -> bool:
        """Was it killed at its very end, and started before it was known that this is the end?

        One that goes away is left to it: it may hold much, and write as it lets go of that.
        """
        if self._root is None or self._over_since is None or self._ending is not None:
            return False
        return self._root_upkeep.restarts > 0 and self._over_since - self._root.born < NEWS_S

    def _poll(self, wakeup: Wakeup) -> list[int]:
        import zmq

        poller = zmq.Poller()
        poller.register(wakeup.descriptor, zmq.POLLIN)
        for peer in self.host.sockets:
            poller.register(peer, zmq.POLLIN)
        if not self.screen.full:
            for descriptor in self._children.descriptors:
                poller.register(descriptor, zmq.POLLIN)
        waits = [LONGEST_WAIT_S, self._root_output.wait_s()]
        waits += [place.wait_s() for place in self._places.values()]
        if self._stop_at is not None:
            waits.append(max(0.0, self._stop_at - time.monotonic()))
        if self.screen.full or self._ending is not None:
            waits.append(0.02)
        ready = poller.poll(int(min(waits) * 1000) + 1)
        return [thing for thing, _ in ready if isinstance(thing, int)]

    # ---- processes ------------------------------------------------------------------------------

    def _start_broker(self) -> None:
        info = self._info
        never_up = self.host.agent.welcome is None  # then the broker may not have heard of it
        command = commands.broker(
            self._run, info.max_attempts, resume=self._resuming and never_up,
            keep_failed=self._keep_failed, recorded_code=self._recorded_code,
        )  # fmt: skip
        self._broker_tail = Tail(STDERR_LINES)
        self._broker = self._children.start(
            "broker",
            command,
            commands.environment(info.seed, stdout_is_read=False),
            cwd=info.cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._live_changed = True
        self._log(f"broker: pid {self._broker.pid}")

    def _start_root(self) -> None:
        """Start the script; it has our terminal, so that it can ask its user something."""
        read = self._bar and os.isatty(1)
        self._root = self._children.start(
            "root",
            self._around.command(commands.root(self._run, again=self._root_upkeep.restarts > 0)),
            self._environment(read=read),
            cwd=self._info.cwd,
            own_group=False,
            stdin=None,
            stdout=subprocess.PIPE if read else None,
            stderr=subprocess.PIPE if self._bar else None,
        )
        self._live_changed = True
        self._log(f"root: pid {self._root.pid}")

    def _environment(self, *, read: bool) -> dict[str, str]:
        """Return the environment of root and workers."""
        info = self._info
        found = commands.environment(info.seed, stdout_is_read=read, info=info)
        return self._around.environment(found, self._run)

    def _output(self, child: Child, stream: str, data: bytes) -> None:
        if child.role in self._places:
            self._places[child.role].output(child, stream, data)
        elif child.role == "root":
            self._root_output.feed(stream, data)
        else:
            self._broker_log.write(data)
            self._broker_tail.feed(data)
            if self._verbose:
                self.screen.write(2, data)

    def _exited(self, change: Exited) -> None:
        self._live_changed = True
        child = change.child
        self._meter.forget(child.pid)
        if child.role in self._places:
            self._places[child.role].exited(change)
            return
        for stream, data in self._children.drain(child):
            self._output(child, stream, data)
        if child.role == "root":
            self._root_ended(change)
        else:
            self._broker_ended(change)

    def _broker_ended(self, change: Exited) -> None:
        was_up = self.host.agent.answered_since(change.child.born)
        self._broker = None
        if self._ending is not None:
            if self._ending.needs_broker_once_more():
                self._start_broker()
            return
        if gone := self._run.gone():  # its journal was its last; none can be started
            self._give_up(GiveUp(gone, 1))
            return
        decision = self._broker_upkeep.ended(
            change.code,
            change.signal,
            was_up=was_up,
            lived_s=change.child.ended_at - change.child.born,
            stderr=self._broker_tail.lines(),
        )
        if isinstance(decision, GiveUp):
            self._give_up(decision)
        else:
            self.screen.note(decision.text)
            self._start_broker()

    def _root_ended(self, change: Exited) -> None:
        self._root = None
        self._root_output.end()
        if self._ending is not None:
            if self.stopped is not None and change.code == 0 and not change.signal:
                # It was at its end, or has made one: there is nothing to go on with.
                self.stopped = None
                self._end(0)
            return
        stats = self.host.agent.stats
        decision = self._root_upkeep.ended(
            change.code,
            change.signal,
            done=stats.get("tasks", {}).get("done", 0),
            recorded=stats.get("exit_code"),
        )
        if isinstance(decision, RootEnded):
            self.host.agent.ask()
            self._end(decision.exit_code)
        elif isinstance(decision, Again):
            self.screen.note(decision.text)
            self._start_root()
        else:
            self._give_up(decision)

    # ---- the end --------------------------------------------------------------------------------

    def _look_at_the_clock(self) -> None:
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self._stop_at = None
            if self._ending is None:
                self._asked_to_end(TIME_IS_OVER)

    def _asked_to_end(self, stop: Stop) -> None:
        """Act on Ctrl-C and its like: the first time in good order, then at once."""
        if self.stopped is not None:
            self._children.kill_all()
            return
        self.stopped = stop
        if self._root is not None:
            self._root.signal(signal.SIGINT)
        self._end(stop.exit_code)

    def _give_up(self, decision: GiveUp) -> None:
        if self.gave_up is None and self._ending is None:
            self.gave_up = decision
            if self._root is not None:
                self._root.signal(signal.SIGTERM)
            self._end(decision.exit_code)

    def _end(self, exit_code: int) -> None:
        for place in self._places.values():
            place.leave()
        if self._ending is None:
            patience_s = AT_ONCE_S if self.stopped is None else self.stopped.patience_s
            self._ending = Ending(self, exit_code, patience_s, wants_figures=self.stopped is None)
        else:
            self._ending.exit_code = exit_code

    def living(self) -> list[Child]:
        """Return the workers and the root, those that live."""
        return [child for child in self._children.alive.values() if child.role != "broker"]

    def broker(self) -> Child | None:
        """Return the broker, if it lives."""
        return self._broker

    # ---- saying ---------------------------------------------------------------------------------

    def _show(self) -> None:
        now = time.monotonic()
        agent = self.host.agent
        wanted = agent.wanted + self._fleet.wanted
        self.progress.update(Figures.of(agent.stats, wanted, self._waiting(now)), now)
        self._say_turned_away(agent.stats.get("turned_away", {}))
        if grown := self._growth.look(agent.stats):
            self.screen.note(grown)
        if not self._bar and self._ending is None:
            line = self.progress.plain_due(now, quiet=self._quiet)
            if line:
                self.screen.say(line)

    def _say_turned_away(self, turned_away: dict[str, str]) -> None:
        for host, why in turned_away.items():
            if self._turned_away.get(host) != why:
                self.screen.say(f"{host} was turned away: {why}")
        self._turned_away = turned_away

    def _waiting(self, now: float) -> str:
        """Say why nothing can progress, as far as it is seen from here."""
        for child in (self._broker, self._root):
            if child is not None and child.stopped:
                who = "broker" if child.role == "broker" else "script's process"
                return f"the {who} is stopped; 'kill -CONT {child.pid}' lets it go on"
        agent = self.host.agent
        if not agent.connected and now - self._began > SILENCE_WORTH_SAYING_S:
            return "the broker does not answer"
        if self._root is not None and self._is_overdue(now):
            return f"the script has ended, its process {self._root.pid} has not; Ctrl-C ends it"
        return agent.trouble() or self._fleet.trouble()

    def _log(self, text: str) -> None:
        if self._verbose:
            self.screen.say(text)

    def _save_live(self) -> None:
        live = Live(
            host=socket.gethostname(),
            launcher=self._process(os.getpid()),
            root=self._process_of(self._root, self._root_upkeep.restarts),
            broker=self._process_of(self._broker, self._broker_upkeep.restarts),
            workers=[self._process(child.pid, id=child.key.hex()) for child in self.host.workers()],
        )
        # A full disk is no reason to end: what the file says is old until there is room.
        with contextlib.suppress(OSError):
            self._run.save_live(live)
            self.host.spawned = self._live_changed = False

    def _process_of(self, child: Child | None, restarts: int) -> LiveProcess | None:
        return self._process(child.pid, restarts=restarts) if child is not None else None

    def _process(self, pid: int, **more: Any) -> LiveProcess:
        return LiveProcess(pid=pid, created=self._meter.created(pid), **more)
