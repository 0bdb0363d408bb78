"""What is drawn from the seed: which program runs how, and the faults that come upon it.

One integer decides all of it: trial k of a seed is always the same program with the same faults in
the same order, whatever the machine does meanwhile.  Nothing here starts or kills anything.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ..faults import Fault

PROGRAMS: Final = Path(__file__).parent / "programs"

#: Program, arguments, seconds a task takes, weight.  About 10 to 20 s of an undisturbed run.
_OURS: Final = (
    ("flat", (900,), 0.04, 4),
    ("flat", (4000,), 0.002, 2),
    ("flat", (120,), 0.3, 2),
    ("tree", (6,), 0.12, 4),
    ("chains", (8, 30), 0.1, 3),
    ("constants", (300,), 0.08, 2),
    ("failing", (20, 12), 0.1, 3),
    ("big", (120, 60_000), 0.08, 5),
)

#: How often each fault, and how long it lasts: least and most seconds (0: it is over at once).
_FAULTS: Final = {
    Fault.WORKER_KILL: (12, 0.0, 0.0),
    Fault.WORKER_TERM: (4, 0.0, 0.0),
    Fault.WORKER_STOP: (5, 0.2, 6.0),
    Fault.WORKER_MEMORY: (10, 0.0, 0.0),  # in one program only
    Fault.BROKER_KILL: (8, 0.0, 0.0),
    Fault.BROKER_TERM: (2, 0.0, 0.0),
    Fault.BROKER_STOP: (3, 0.2, 4.0),
    Fault.BROKER_DOWN: (3, 0.5, 4.0),
    Fault.ROOT_KILL: (8, 0.0, 0.0),
    Fault.ROOT_TERM: (2, 0.0, 0.0),
    Fault.ROOT_STOP: (2, 0.2, 4.0),
    Fault.LAUNCHER_KILL: (3, 0.0, 1.0),
    Fault.LAUNCHER_TERM: (2, 0.0, 1.0),
    Fault.EVERYTHING_KILL: (2, 0.0, 1.0),
    Fault.AGENT_STOP: (2, 0.2, 6.0),
    Fault.AGENT_KILL: (2, 0.0, 1.0),
    Fault.NET_CUT: (6, 0.3, 8.0),
    Fault.NET_ONE_WAY: (6, 0.3, 8.0),
    Fault.DISK_FULL: (6, 0.3, 4.0),
}
KINDS: Final = tuple(_FAULTS)
SOMEWHERE: Final = (Fault.AGENT_KILL, Fault.NET_CUT, Fault.NET_ONE_WAY)  # need the other host


class Drawn(NamedTuple):
    """A fault to come.

    Attributes
    ----------
    calm : bool
        It comes when the run has recovered from those before; else whatever happens.
    gap_s : float
        How long after that, or after the one before.
    fault : Fault
    victim : float
        Whom it meets: a place between 0 and 1 in the list of those that it could.
    lasts_s : float
    """

    calm: bool
    gap_s: float
    fault: Fault
    victim: float
    lasts_s: float

    def choose(self, pids: Sequence[int]) -> int | None:
        """Return whom of these it meets; None when there is nobody."""
        return pids[int(self.victim * len(pids))] if pids else None


@dataclass(frozen=True)
class TrialPlan:
    """One program under faults.

    Attributes
    ----------
    number : int
    script : Path
    args : tuple of str
        For the run; ``serial_args`` give the same answer at once.
    ours : bool
        It is one of those that note what they do.
    workers, away : int
        Here, and on the other host.
    small_disk : bool
    kinds : tuple of Fault
        What may come upon it.
    """

    number: int
    script: Path
    args: tuple[str, ...]
    serial_args: tuple[str, ...]
    ours: bool
    workers: int
    away: int
    small_disk: bool
    kinds: tuple[Fault, ...]
    seed: str

    @property
    def title(self) -> str:
        """The program and where it runs, in a few words."""
        away = f" + {self.away} away" if self.away else ""
        disk = ", small disk" if self.small_disk else ""
        words = " ".join([self.script.stem, *self.args])
        return f"{words}, {self.workers} workers{away}{disk}"

    def faults(self) -> Iterator[Drawn]:
        """Draw the faults, without end."""
        dice = random.Random(f"{self.seed} faults")
        weights = [_FAULTS[kind][0] for kind in self.kinds]
        while True:
            calm, gap, victim, lasts = (dice.random() for _ in range(4))
            (kind,) = dice.choices(self.kinds, weights)
            _, least, most = _FAULTS[kind]
            yield Drawn(
                calm < 0.6, 0.2 + 2.8 * gap**2, kind, victim, least + (most - least) * lasts
            )


def trial_plan(
    seed: int, number: int, kinds: Collection[Fault], scripts: Sequence[Sequence[str]]
) -> TrialPlan:
    """Draw a trial.

    Parameters
    ----------
    seed, number : int
    kinds : collection of Fault
        Those that the machine can do and the user wants.
    scripts : sequence of commands
        The user's own, each with its arguments; none: ours.
    """
    dice = random.Random(f"{seed} {number}")
    workers, away, disk = dice.randint(2, 4), dice.random(), dice.random()
    remote = 2 if away < 0.5 and any(kind in kinds for kind in SOMEWHERE) else 0
    small_disk = disk < 0.4 and Fault.DISK_FULL in kinds
    if scripts:
        script, *args = scripts[number % len(scripts)]
        words = serial = tuple(args)
        name, path = "", Path(script).absolute()
    else:
        ((name, numbers, seconds, _),) = dice.choices(_OURS, [ours[3] for ours in _OURS])
        path = PROGRAMS / f"{name}.py"
        words = (*map(str, numbers), str(seconds))
        serial = (*map(str, numbers), "0")
    possible = tuple(
        kind
        for kind in KINDS
        if kind in kinds
        and (remote or kind not in SOMEWHERE)
        and (small_disk or kind is not Fault.DISK_FULL)
        and (name == "big" or kind is not Fault.WORKER_MEMORY)
    )
    return TrialPlan(
        number, path, words, serial, not scripts, workers, remote, small_disk, possible,
        f"{seed} {number}",
    )  # fmt: skip
