"""What a seed decides beforehand: the program, the machines, and which faults strike when.

Only draws; nothing here runs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from ..faults import Fault
from .author import Author, collecting, hanging, keeping, numbering, unordered, widen, without
from .workload import Program

#: How likely each kind is, when it is one of those that a seed allows.
KINDS: Final[dict[Fault, int]] = {
    Fault.WORKER_KILL: 6, Fault.WORKER_TERM: 3, Fault.WORKER_STOP: 4, Fault.WORKER_SLOW: 1,
    Fault.WORKER_GONE: 3, Fault.BROKER_KILL: 6, Fault.BROKER_DOWN: 2, Fault.BROKER_STOP: 3,
    Fault.BROKER_TERM: 2, Fault.ROOT_KILL: 5, Fault.ROOT_STOP: 2, Fault.ROOT_REORDERED: 2,
    Fault.ROOT_EDITED: 2, Fault.AGENT_KILL: 2, Fault.AGENT_STOP: 2, Fault.LAUNCHER_KILL: 3,
    Fault.EVERYTHING_KILL: 2, Fault.NET_DELAY: 2, Fault.NET_LOSS: 5, Fault.NET_REORDER: 4,
    Fault.NET_ONE_WAY: 2, Fault.NET_CUT: 3, Fault.NET_HALF_OPEN: 3, Fault.DISK_SLOW: 2,
    Fault.DISK_FULL: 3, Fault.DISK_SYNC: 1, Fault.POWER_CUT: 2, Fault.CLOCK_JUMP: 2,
    Fault.CLOCK_SKEW: 1, Fault.HOST_SLEEP: 2,
}  # fmt: skip

MOST_FAULTS: Final = 8
CLOSE: Final = 0.5  # of the seeds have faults that strike while another one is being mended
_EDITS: Final = frozenset({Fault.ROOT_EDITED, Fault.ROOT_REORDERED})


@dataclass(frozen=True)
class Strike:
    """A fault to come: when so many events have happened, or at a time; the draws are its own."""

    number: int
    fault: Fault
    event: int  # 0: at a time
    time: float
    seconds: float
    draw: int

    def __str__(self) -> str:
        when = f"at event {self.event}" if self.event else f"at {self.time:.3f} s"
        return f"{self.number}: {self.fault.value} {when} ({self.seconds:.3f} s)"


@dataclass
class Plan:
    """All that a seed decides before its world begins."""

    seed: int
    program: Program
    tasks: int
    max_attempts: int
    workers: int
    remote_workers: int
    latency_s: float
    sync_s: float
    start_s: float
    pace: float
    look_every: int  # the whole state of the broker is looked at after so many steps
    large: bool = False  # functions travel as those do that have captured much
    saving: bool = False  # the script saves its state after each phase
    strikes: list[Strike] = field(default_factory=list)


def draw(seed: int, *, only: Collection[int] | None = None, left_out: Collection[str] = ()) -> Plan:
    """Return what a seed decides.

    Parameters
    ----------
    seed : int
    only : collection of int, optional
        The numbers of the strikes to keep; all others are left out.
    left_out : collection of str, optional
        The keys of calls that the program is to do without.
    """
    rng = Random(seed)
    poison = rng.random() < 0.15
    tasks = rng.choice((2, 3, 4, 4, 6, 6, 8, 8, 12, 24))
    author = Author(rng, tasks, poison=poison, millis=rng.choice((0.2, 2.0, 10.0, 60.0, 400.0)))
    plan = Plan(
        seed=seed,
        program=author.program(),
        tasks=author.keys,
        max_attempts=3 if poison else 1000,
        workers=rng.choice((1, 2, 2, 3)),
        remote_workers=rng.choice((0, 0, 1, 1, 2)),
        latency_s=rng.choice((0.00005, 0.0002, 0.002, 0.02)),
        sync_s=rng.choice((0.0001, 0.002, 0.02)),
        start_s=rng.choice((0.01, 0.1)),
        pace=rng.choice((1.0, 5.0, 25.0)),
        look_every=rng.choice((1, 9, 9, 40, 40, 40)),
    )
    plan.strikes = _strikes(rng, remote=bool(plan.remote_workers))
    # Of an edited script's state nobody knows what it was made of.
    plan.saving = rng.random() < 0.25 and _EDITS.isdisjoint(each.fault for each in plan.strikes)
    if rng.random() < 0.35:
        plan.program = keeping(plan.program, rng)
    if rng.random() < 0.5:
        plan.program = collecting(plan.program, rng)
    if rng.random() < 0.2:
        plan.program = widen(plan.program, rng)
    if rng.random() < CLOSE:
        plan.strikes = _closer(rng, plan.strikes)
    if rng.random() < 0.3:
        plan.program = numbering(plan.program, rng)
    if rng.random() < 0.15:
        # An edited script asks no more for some of what runs: nobody gives that up.
        calm = _EDITS.isdisjoint(each.fault for each in plan.strikes)
        plan.program = hanging(plan.program, rng, giving_up=calm and rng.random() < 0.5)
    plan.large = rng.random() < 0.5
    if rng.random() < 0.2:
        plan.program = unordered(plan.program, rng)
    if only is not None:
        plan.strikes = [strike for strike in plan.strikes if strike.number in only]
    plan.program = without(plan.program, left_out)
    return plan


def _strikes(rng: Random, *, remote: bool) -> list[Strike]:
    """Some kinds only, each seed others; often none at all of most."""
    possible = [k for k in KINDS if remote or k not in (Fault.AGENT_KILL, Fault.WORKER_GONE)]
    kinds = rng.sample(possible, rng.choice((1, 2, 3, 5, len(possible))))
    weights = [KINDS[kind] for kind in kinds]
    strikes = []
    for number in range(rng.choice((0, 1, 2, 3, 4, 6, 6, MOST_FAULTS))):
        by_event = rng.random() < 0.7
        strikes.append(
            Strike(
                number=number,
                fault=rng.choices(kinds, weights)[0],
                event=int(rng.uniform(20.0, 320.0)) if by_event else 0,
                time=rng.random() * rng.choice((0.1, 0.5, 3.0)),
                seconds=rng.choice((0.01, 0.1, 0.5, 2.5, 6.0)) * (0.5 + rng.random()),
                draw=rng.getrandbits(32),
            )
        )
    return strikes


def _closer(rng: Random, strikes: list[Strike]) -> list[Strike]:
    """Let some strike soon after the one before."""
    found: list[Strike] = []
    for strike in strikes:
        if found and found[-1].event and rng.random() < 0.6:
            event = found[-1].event + int(10 ** rng.uniform(0.0, 1.8))
            strike = replace(strike, event=event)
        found.append(strike)
    return found
