"""``scoop-ft worker``: workers without a launcher, which join a run and leave with it.

An agent of its own for as long as it lives.  It serves one run, by its run directory (on this
machine, or a shared folder) or by its broker's address.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ..client.asking import ask
from ..errors import RunError
from ..resources import NOTHING
from ..rundir import Keys, RunDir, RunInfo, read_keys, write_atomically
from ..surroundings import AsScoop
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

LONGEST_WAIT_S: Final = 0.5
PATIENCE_S: Final = 5.0  # for workers to hand back what they hold
WELCOME_S: Final = 10.0  # for the first answer, unless somebody has said how long it may take
WORTH_SAYING_S: Final = 1.5  # so long nobody wonders
ORPHAN_S: Final = 120.0  # without a broker: who was started by a launcher has lost it
GIVE_UP_S: Final = 3600.0  # who was started by hand: a broker that is started again by hand, too
GAVE_UP: Final = 69  # EX_UNAVAILABLE
LONGER: Final = ": start this again when the run is served; --give-up-after waits longer"


def command(
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
    """Do what ``scoop-ft worker`` was asked; return the exit code."""
    limits = Limits(max_tasks_per_worker or 0, max_memory_per_worker or 0)
    return serve(
        where, workers or usable_cores(), keys, any_versions=any_versions, limits=limits,
        resources=resources, give_up_after=give_up_after,
    )  # fmt: skip


def serve(
    where: str, workers: int, keys: str | None, *, any_versions: bool = False,
    limits: Limits = NO_LIMITS, resources: Mapping[str, int] | None = None,
    give_up_after: float | None = None,
) -> int:  # fmt: skip
    """Keep workers for a run until it ends or somebody says stop; return the exit code.

    ``any_versions``: also when Python or a package is another one than the run's.  ``resources``:
    what each worker has for tasks that ask for it.  ``give_up_after``: so long without a broker it
    goes on, also before the first answer; unless told, an hour, and a wrong address is soon told.
    """
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
        _furnish(home, where, keys, WELCOME_S if give_up_after is None else give_up_after)
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
    _make_folders(home)
    write_atomically(home.keys / "client.key", msgspec.json.encode(keys))
    home.endpoint_file.write_text(endpoint)
    try:
        _introduce(home, WELCOME_S)
    except _NoBroker:
        raise RunError(
            f"no broker answers at {endpoint}, as seen from there: name this machine as others can "
            "reach it with --external-hostname, or use --tunnel"
        ) from None
    return _Service(
        home, workers, check=True, up=up, otherwise="", patience_s=ORPHAN_S, advice="",
        limits=limits, resources=resources,
    ).main()  # fmt: skip


def _make_folders(home: RunDir) -> None:
    for folder in (home.logs, home.slates, home.keys):
        folder.mkdir(mode=0o700)


def _furnish(home: RunDir, endpoint: str, keys: str | None, patience_s: float) -> None:
    """Make a run directory of our own, from the broker's welcome."""
    address.check(endpoint)
    _make_folders(home)
    if keys is not None:
        source = Path(keys, "client.key")
        if not source.exists():
            raise RunError(
                f"{keys} has no client.key: give a copy of the folder 'keys' of the run directory; "
                "it is there once the run was started or resumed with --listen"
            )
        read_keys(source)  # refused under the name that the user knows
        shutil.copy(source, home.keys / "client.key")
    elif endpoint.startswith("tcp://"):
        raise RunError("an address needs --keys DIR: the keys folder of the run directory")
    home.endpoint_file.write_text(endpoint)
    _introduce(home, patience_s)


def _introduce(home: RunDir, patience_s: float) -> None:
    """Write down what the broker says of the run."""
    welcome = _ask_welcome(home, patience_s)
    settings = welcome.settings
    home.save_info(
        RunInfo(
            run=welcome.run,
            script=settings.get("script", ""),
            args=list(settings.get("args", [])),
            cwd=os.getcwd(),
            seed=settings.get("seed", 0),
            workers=0,
            python=settings.get("python", ""),
            created=time.time(),
            max_attempts=settings.get("max_attempts", 3),
            path=settings.get("path", ""),
            scoop=_scoop(settings.get("scoop")),
        )
    )


def _scoop(told: dict[str, Any] | None) -> AsScoop | None:
    return None if told is None else msgspec.convert(told, AsScoop)


def _ask_welcome(home: RunDir, patience_s: float) -> Any:
    """Say hello as an observer, for the run's settings."""
    from ..client.connection import Connection
    from ..wire.messages import PROTOCOL_VERSION, Hello, Refused, Welcome

    connection = Connection(home.endpoint, home.client_keys)
    connection.open()
    connection.send(
        Hello(PROTOCOL_VERSION, os.urandom(8), "observer", socket.gethostname(), os.getpid(),
              b"", [], [])
    )  # fmt: skip
    endpoint = home.endpoint()
    unknown = address.unresolved(endpoint)
    trying = "trying" if patience_s <= WELCOME_S else "waiting for one (Ctrl-C ends this)"
    if unknown:  # a network that is coming up is worth the wait
        until = f" for {WELCOME_S:.0f} s" if patience_s == WELCOME_S else ""
        print(f"scoop-ft: {unknown}; {trying}{until}", file=sys.stderr, flush=True)
    began, said, closed = time.monotonic(), bool(unknown), False
    try:
        while (waited := time.monotonic() - began) < patience_s:
            if waited >= WORTH_SAYING_S and not said:
                said = True
                words = f"no broker answers yet at {endpoint}; {trying}"
                print(f"scoop-ft: {words}", file=sys.stderr, flush=True)
            connection.poll(min(patience_s if said else WORTH_SAYING_S, waited + 1.0) - waited)
            if closed := connection.ended():
                break
            message, _ = connection.receive() or (None, [])
            if isinstance(message, Welcome):
                return message
            if isinstance(message, Refused):
                raise RunError(f"the broker refused: {message.reason}")
    finally:
        connection.close()
    if why := address.unreached(endpoint):
        raise _NoBroker(why, GAVE_UP)
    if closed:  # to try again is of no use
        raise _NoBroker(
            f"who listens at {endpoint} does not know these keys: copy them from the directory of "
            "the run that is served there; each run has its own"
        )
    raise _NoBroker(
        f"who listens at {endpoint} does not answer: is it a broker, and not stopped?", GAVE_UP
    )


class _NoBroker(RunError):
    """Nobody answers at the address."""


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
