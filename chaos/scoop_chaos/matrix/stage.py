"""The processes of one case: services, the program, all that they start, and what they say.

Starts, looks and ends; whom to strike and what comes of it is `case`'s business.  Whatever happens,
`Stage.kill_everything` leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .family import Family
from .ledger import Ledger
from .systems import PROGRAMS, Place, Service, System

POLL_S = 0.005
READY_S = 60.0


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
            for file in (service.ready, service.stale):
                if file is not None:  # of a service that has died
                    file.unlink(missing_ok=True)
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
