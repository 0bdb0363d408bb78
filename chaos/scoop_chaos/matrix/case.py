"""One system through one death: started, struck, started again where its user would, judged.

Real processes and real signals.  Whom to strike is read from the ledger (the worker that runs
something now, the process that runs the program) and from command lines (the broker).  Nothing is
left behind when a case ends, however it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..faults import Fault
from .family import Family, send
from .judge import Cell, Outcome, judge
from .ledger import Ledger, count, executed_again_after
from .systems import PROGRAMS, Place, Service, System

POLL_S = 0.005
READY_S = 60.0
PATIENCE_S = 10.0  # then a user ends a command whose program is dead


class Size(NamedTuple):
    """How many tasks of which length, and after how many of them the death comes."""

    tasks: int = 200
    seconds: str = "0.05"
    after: int = 40

    @property
    def expected(self) -> int:
        """The right answer."""
        return sum(number * number for number in range(self.tasks))


class CaseFailed(Exception):
    """A case could not be brought to its death: nothing can be said about it."""


@dataclass
class Deadline:
    """A moment after which it is said to hang."""

    at: float

    def passed(self) -> bool:
        """Tell whether it is later."""
        return time.monotonic() > self.at


class Stage:
    """The processes of one case.

    Parameters
    ----------
    system : System
        Whose.
    size : Size
        How much work.
    python : str
        The interpreter of peers.
    folder : Path
        An empty folder of its own; its path should be short, for sockets.
    """

    def __init__(self, system: System, size: Size, python: str, folder: Path) -> None:
        self.system = system
        self.size = size
        self.folder = folder
        self.place = Place(folder, system.interpreter(python))
        self.ledger = Ledger(folder / "ledger")
        self.family = Family(f"{os.getpid()}:{folder}")
        self.front: subprocess.Popen[bytes] | None = None
        self.front_struck = False  # it was the broker as well: what counts is the program itself
        self._children: list[subprocess.Popen[bytes]] = []

    # ---- starting -------------------------------------------------------------------------------

    def start_services(self) -> None:
        """Start what outlives the program; return when it is ready."""
        self.place.renew()
        services = self.system.services(self.place)
        for service in services:
            if service.ready is not None:
                service.ready.unlink(missing_ok=True)  # of a service that has died
        for service in services:
            self._wait_ready(service, self._popen(list(service.words)))

    def _wait_ready(self, service: Service, child: subprocess.Popen[bytes]) -> None:
        deadline = Deadline(time.monotonic() + READY_S)
        while not (child.poll() == 0 if service.ready is None else service.ready.exists()):
            if child.poll() is not None or deadline.passed():
                raise CaseFailed(f"{' '.join(service.words[:4])} did not start{self.told()}")
            time.sleep(POLL_S)

    def start_program(self) -> None:
        """Start the program, on the services that run."""
        system, size = self.system, self.size
        words = [str(system.program), str(size.tasks), size.seconds, str(self.ledger.path)]
        self.front = self._popen(
            [*system.front(self.place), *words, *system.more(self.place)],
        )

    def start_again(self) -> None:
        """Start it all again after the death of everything."""
        if self.system.again is not None:
            self.front = self._popen(self.system.again(self.place))
            return
        self.start_services()
        self.start_program()

    def _popen(self, words: list[str]) -> subprocess.Popen[bytes]:
        number = len(self._children) + 1
        tools = os.path.dirname(self.place.python)
        environment = self.family.environment()
        environment["PYTHONPATH"] = str(PROGRAMS)  # so that all workers find the task
        environment["PATH"] = f"{tools}{os.pathsep}{environment.get('PATH', '')}"
        with (
            open(self.folder / f"stdout.{number}", "wb") as out,
            open(self.folder / f"stderr.{number}", "wb") as err,
        ):
            child = subprocess.Popen(
                [self.place.python, *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._children.append(child)
        self.family.adopt(child.pid)
        return child

    # ---- looking --------------------------------------------------------------------------------

    def code(self) -> int | None:
        """Return the exit code of the program's command, once it has ended."""
        assert self.front is not None, "no program was started"
        return self.front.poll()

    def has_ended(self) -> bool:
        """Tell whether the program has ended: its command, and if that was struck its process."""
        return self.code() is not None and not (self.front_struck and self._root_lives())

    def _root_lives(self) -> bool:
        root = self.ledger.root()
        return root is not None and any(one.pid == root for one in self.family.members())

    def wait_end(self, deadline: Deadline) -> bool:
        """Wait until the program has ended; tell whether it has."""
        while not self.has_ended():
            if deadline.passed():
                return False
            time.sleep(POLL_S)
        return True

    def wait_for(self, found: Callable[[], int | None], what: str, deadline: Deadline) -> int:
        """Wait until something is found in the ledger of a program that runs."""
        while (one := found()) is None:
            if self.code() is not None or deadline.passed():
                why = "the program ended" if self.code() is not None else "nothing happened"
                raise CaseFailed(f"{why} before there was {what}{self.told()}")
            time.sleep(POLL_S)
        return one

    def read(self, which: str) -> str:
        """Return what the program's command wrote: ``stdout`` or ``stderr``."""
        number = next(n for n, child in enumerate(self._children, 1) if child is self.front)
        return (self.folder / f"{which}.{number}").read_text(errors="replace")

    def told(self) -> str:
        """Return the ends of all outputs, for who has to find out."""
        files = sorted(self.folder.glob("std*.[0-9]*"))
        texts = ((file.name, file.read_text(errors="replace")[-800:]) for file in files)
        return "".join(f"\n{name}: {text}" for name, text in texts if text.strip())

    # ---- ending ---------------------------------------------------------------------------------

    def kill_everything(self) -> None:
        """Kill all processes of the case; return when none is left."""
        self.family.kill()
        for child in self._children:
            child.wait()


# ---- deaths ---------------------------------------------------------------------------------


def _worker(stage: Stage, deadline: Deadline) -> int:
    """Return a worker that runs a task now and is not the root."""

    def find() -> int | None:
        root = stage.ledger.root()
        return next((line.pid for line in stage.ledger.running() if line.pid != root), None)

    return stage.wait_for(find, "a worker at work", deadline)


def _strike(stage: Stage, fault: Fault, deadline: Deadline) -> None:
    """Send the fault's signal to whom it is meant for."""
    if fault in (Fault.WORKER_KILL, Fault.WORKER_STAYS_STOPPED):
        number = signal.SIGKILL if fault is Fault.WORKER_KILL else signal.SIGSTOP
        send(_worker(stage, deadline), number)
    elif fault is Fault.BROKER_KILL:
        victims = stage.family.named(stage.system.broker)
        if not victims:
            raise CaseFailed(f"no process with {stage.system.broker} in its command line")
        assert stage.front is not None, "no program was started"
        stage.front_struck = stage.front.pid in {victim.pid for victim in victims}
        for victim in victims:
            send(victim.pid, signal.SIGKILL)
    elif fault is Fault.ROOT_KILL:
        send(stage.wait_for(stage.ledger.root, "a root", deadline), signal.SIGKILL)
    else:
        stage.kill_everything()


def _mend(stage: Stage, fault: Fault) -> str:
    """Do what the system's user would do then; return what had to be done by hand."""
    if fault is Fault.EVERYTHING_KILL:
        stage.start_again()
    elif fault is Fault.ROOT_KILL and not stage.system.restarts_root:
        front = stage.front
        assert front is not None
        ended = stage.wait_end(Deadline(time.monotonic() + PATIENCE_S))
        if not ended:  # a launcher that has not noticed
            front.send_signal(signal.SIGINT)
            if not stage.wait_end(Deadline(time.monotonic() + PATIENCE_S)):
                front.kill()
                front.wait()
        stage.start_program()
        return "" if ended else "the launcher did not notice and was ended by hand after 10 s"
    return ""


# ---- a case ---------------------------------------------------------------------------------


def run_case(
    system: System,
    fault: Fault | None,
    size: Size,
    limit: float,
    folder: Path,
    python: str = sys.executable,
) -> Cell:
    """Run a system's program, undisturbed or through one death, and judge what comes of it.

    Parameters
    ----------
    system : System
        Which one.
    fault : Fault, optional
        A death of worker, broker, root or everything, or a worker that stays stopped.
    size : Size
        The work.
    limit : float
        Seconds after the death (undisturbed: after the start) when it is said to hang.
    folder : Path
        An empty folder.
    python : str, optional
        The interpreter of peers.
    """
    if fault is Fault.BROKER_KILL and not system.broker:
        return Cell(Outcome.NO_SUCH)
    stage = Stage(system, size, python, folder)
    try:
        return _play(stage, fault, limit)
    except CaseFailed as why:
        return Cell(Outcome.ERROR, f"not brought to its death: {why}")
    finally:
        stage.kill_everything()


def _play(stage: Stage, fault: Fault | None, limit: float) -> Cell:
    stage.start_services()
    began = struck = time.monotonic()
    stage.start_program()
    remark, before = "", None
    if fault is not None:
        _wait_for_work(stage, Deadline(began + limit))
        stage.family.members()  # seen now, remembered when their parents are gone
        _strike(stage, fault, Deadline(began + limit))
        struck = time.monotonic()
        before = len(stage.ledger.ended())
        remark = _mend(stage, fault)
    ended = stage.wait_end(Deadline(struck + limit))
    seconds = time.monotonic() - began
    return _cell(stage, ended, struck, seconds, limit, before, remark)


def _wait_for_work(stage: Stage, deadline: Deadline) -> None:
    def enough() -> int | None:
        return 1 if len(stage.ledger.ended()) >= stage.size.after else None

    stage.wait_for(enough, f"{stage.size.after} ended tasks", deadline)


def _cell(
    stage: Stage,
    ended: bool,
    struck: float,
    seconds: float,
    limit: float,
    before: int | None,
    remark: str,
) -> Cell:
    lines = stage.ledger.lines()
    done = count(lines)
    outcome, text = Outcome.HANGS, f"no end within {limit:.0f} s"
    if ended:
        code = 0 if stage.front_struck else stage.code()
        assert code is not None
        outcome, text = judge(code, stage.read("stdout"), stage.read("stderr"), stage.size.expected)
    right = outcome is Outcome.RIGHT
    reused = before - executed_again_after(lines, struck) if right and before is not None else None
    return Cell(
        outcome,
        text,
        seconds if right else None,
        done.starts,
        done.again,
        done.needless,
        done.of_first,
        before,
        reused,
        remark,
    )
