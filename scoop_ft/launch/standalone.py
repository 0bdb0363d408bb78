"""``scoop-ft worker``: workers without a launcher, which join a run and leave with it.

An agent of its own for as long as it lives.  It serves one run, by its run directory (on this
machine, or a shared folder) or by its broker's address.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from ..client.asking import ask
from ..errors import RunError
from ..resources import NOTHING
from ..rundir import Keys, RunDir, write_atomically
from . import address, commands, suspending, unserved
from .agent import UNFIT
from .duration import written
from .homes import temporary_home
from .host import Host
from .output import Screen
from .processes import Children, Exited, Wakeup, usable_cores
from .recycling import NO_LIMITS, Limits
from .silence import News, Silence
from .stopping import asked_by
from .versions import ASK_S, Check, is_the_runs_own
from .welcome import GAVE_UP, WELCOME_S, NoBroker, furnish, introduce, make_folders

LONGEST_WAIT_S: Final = 0.5
PATIENCE_S: Final = 5.0  # for workers to hand back what they hold
ORPHAN_S: Final = 120.0  # without a broker: who was started by a launcher has lost it
GIVE_UP_S: Final = 3600.0  # who was started by hand: a broker that is started again by hand, too
LONGER: Final = ": start this again when the run is served; --give-up-after waits longer"


def serve(
    where: str,
    workers: int | None,
    keys: str | None,
    *,
    any_versions: bool,
    max_tasks_per_worker: int | None,
    max_memory_per_worker: int | None,
    resources: Mapping[str, int] | None,
    give_up_after: float | None,
) -> int:
    """Keep workers for a run until it ends or somebody says stop; return the exit code.

    Parameters
    ----------
    where : str
        The run's directory, or its broker's address.
    workers : int or None
        By default as many as cores that this process may use.
    keys : str or None
        With an address: the folder of the run's keys, or a copy.
    any_versions : bool
        Serve it also when Python or a package is another one than the run's.
    max_tasks_per_worker, max_memory_per_worker, resources
        Of each worker, as the command line says them; None where it does not.
    give_up_after : float or None
        So many seconds without a broker it goes on, also before the first answer; unless told, an
        hour, and a wrong address is soon told.
    """
    workers = workers or usable_cores()
    limits = Limits(max_tasks_per_worker or 0, max_memory_per_worker or 0)
    patience_s = GIVE_UP_S if give_up_after is None else give_up_after
    if not where.startswith(address.SCHEMES):
        directory = address.locate(where)
        if said := unserved.look(directory):
            print(f"scoop-ft: {said}", file=sys.stderr, flush=True)
        own = is_the_runs_own(directory)
        return _Service(
            directory, workers, check=not any_versions and not own, elsewhere=not own,
            patience_s=patience_s, limits=limits, resources=resources or {},
        ).main()  # fmt: skip
    with temporary_home() as home:
        furnish(home, where, keys, WELCOME_S if give_up_after is None else give_up_after)
        return _Service(
            home, workers, check=not any_versions, patience_s=patience_s, limits=limits,
            resources=resources or {},
        ).main()  # fmt: skip


def serve_for_launcher(
    home: RunDir, endpoint: str, keys: Keys, workers: int, *, up: Callable[[], None],
    limits: Limits = NO_LIMITS, resources: Mapping[str, int] = NOTHING,
) -> int:  # fmt: skip
    """Do it for a launcher on another machine, which has said what is needed.

    Parameters
    ----------
    home : RunDir
        An empty folder of our own.
    endpoint, keys, workers
        Of the broker; how many.
    up : callable
        Called when the broker has welcomed us.
    limits, resources
        Of each worker.
    """
    make_folders(home)
    write_atomically(home.keys / "client.key", msgspec.json.encode(keys))
    home.endpoint_file.write_text(endpoint)
    try:
        introduce(home, WELCOME_S)
    except NoBroker:
        raise RunError(
            f"no broker answers at {endpoint}, as seen from there: name this machine as others can "
            "reach it with --external-hostname, or use --tunnel"
        ) from None
    return _Service(
        home, workers, check=True, up=up, otherwise="", patience_s=ORPHAN_S, advice="",
        limits=limits, resources=resources,
    ).main()  # fmt: skip


class _Service:
    """The loop of an agent that is alone."""

    def __init__(
        self, directory: RunDir, workers: int, *, check: bool, patience_s: float,
        elsewhere: bool = True, up: Callable[[], None] | None = None,
        otherwise: str = ", or start it with --any-versions", advice: str = LONGER,
        limits: Limits = NO_LIMITS, resources: Mapping[str, int] = NOTHING,
    ) -> None:  # fmt: skip
        info = directory.info()
        directory.endpoint()  # or say that it has none
        self._screen = Screen()
        self._check = Check(directory, self._screen.say, otherwise) if check else None
        self._refused: RunError | None = None
        self._silence = Silence(patience_s)
        self._advice = advice
        self._children = Children()
        self._host = Host(
            directory,
            workers,
            commands.environment(info.seed, stdout_is_read=True, info=info),
            info.cwd if os.path.isdir(info.cwd) else os.getcwd(),
            self._children,
            self._screen,
            log_prefix=f"worker-{socket.gethostname()}-{os.getpid()}",
            limits=limits,
            resources=resources,
            elsewhere=elsewhere,
        )
        self._directory = directory
        self._kill_at = 0.0
        self._by_hand = up is None
        self._up: Callable[[], None] | None = up or self._say_joined  # until it was called
        self._exit_code = 0

    def main(self) -> int:
        """Serve until the end."""
        if self._check is not None:
            self._check.before_start(self._hear)
        wakeup = Wakeup()
        try:
            self._host.tick()
            self._host.connect()
            while not (self._host.agent.leaving and not self._children.alive):
                self._round(wakeup)
            if self._by_hand and self._is_over():
                self._screen.say("the run is over")
        finally:
            self._children.kill_all()
            self._host.close()
            wakeup.close()
            self._screen.close()
        finished = self._host.finished
        if finished is not None and finished.refused:
            raise RunError(f"the broker refused: {finished.reason}")
        if self._refused is not None:
            raise self._refused
        return self._exit_code

    def _round(self, wakeup: Wakeup) -> None:
        import zmq

        poller = zmq.Poller()
        for thing in (wakeup.descriptor, *self._host.sockets, *self._children.descriptors):
            poller.register(thing, zmq.POLLIN)
        wait = min(LONGEST_WAIT_S, self._host.wait_s())
        for thing, _ in poller.poll(int(wait * 1000) + 1):
            got = self._children.read(thing) if isinstance(thing, int) else None
            if got is not None:
                self._host.output(*got)
        for number in wakeup.take():
            if suspending.is_asked_by(number):
                suspending.suspend(self._children.alive.values())
            elif asked_by(number) is not None:
                self._leave(number)
        for change in self._children.changes():
            if isinstance(change, Exited):
                self._host.exited(change)
            else:
                self._host.paused(change.child)
        if self._host.unfit and self._refused is None:
            self._refuse(self._host.unfit)
        self._host.listen()
        self._host.tick()
        now = time.monotonic()
        if not self._host.agent.leaving:
            self._look_for_reasons_to_leave()
        if self._host.agent.leaving and not self._kill_at:
            self._kill_at = now + PATIENCE_S
        if self._kill_at and now > self._kill_at:
            self._children.kill_all()

    def _look_for_reasons_to_leave(self) -> None:
        answers = self._host.agent.connected
        if answers and self._up is not None:
            self._up()
            self._up = None
        try:
            self._hear(answers)
            if self._check is not None:  # the script may have imported something since
                self._check.compare(self._host.agent.stats.get("environment"))
        except RunError as error:
            self._refused = error
            self._host.leave()

    def _say_joined(self) -> None:
        run, workers = self._directory.info().run, self._host.agent.wanted
        self._screen.say(
            f"joined run {run} with {workers} worker{'s' * (workers != 1)}; Ctrl-C leaves it: what "
            "is not done then is done elsewhere"
        )

    def _is_over(self) -> bool:
        finished = self._host.finished
        return finished is not None and not finished.refused and self._refused is None

    def _refuse(self, reason: str) -> None:
        """Something cannot be imported here: other machines do what this one has begun."""
        ask(self._directory, ASK_S, refused=reason)
        text = f"{reason}: give it what is missing"
        if self._advice:
            self._refused = RunError(f"{text}, and start this again")
        else:  # a launcher does that by itself
            self._refused = RunError(text, 2 if self._host.agent.imported else UNFIT)

    def _hear(self, answers: bool) -> None:
        """Say that there is no broker, and that there is one again; raises RunError at last."""
        news = self._silence.look(answers)
        if news is News.BACK:
            self._screen.say("the broker answers again")
        elif news is News.LONELY:
            self._screen.say("no broker answers; waiting for one (Ctrl-C ends this)")
        elif news is News.OVER:
            waited = written(self._silence.limit_s)
            raise RunError(f"no broker has answered for {waited}{self._advice}", GAVE_UP)

    def _leave(self, number: int) -> None:
        if self._exit_code:
            self._children.kill_all()
        self._exit_code = 128 + number
        self._host.leave()
