"""``python -m scoop_chaos cuts``: power cuts, failing disks, a real ext4; and what they found."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import click
from rich.console import Console

from scoop_chaos.faults import Fault as Name
from scoop_chaos.runs import RunFailed
from scoop_chaos.violations import LIVENESS, Violation

from . import loop, preload
from .campaign import Tally, cut
from .check import Fate
from .disk import Lie
from .errors import ErrorRun, plan, run_with
from .record import Recording, record

SIZE = (12, 5)  # the recorded script's arguments: some hundred transactions
SMALL = (6, 4)
CUTS_A_RUN = 500  # so that many cuts are cuts of several runs
_MEMORY = "/dev/shm"

Found = list[tuple[str, Violation]]


class Places:
    """Folders for what is made on the way: on a disk, where runs are, and in memory."""

    def __init__(self, disk: Path, memory: Path) -> None:
        self.disk = disk
        self.memory = memory

    def fresh(self, name: str, number: int = 0) -> Path:
        """Return a new folder: on the disk for even numbers, else in memory.

        A slow disk makes large transactions, memory makes many.
        """
        folder = (self.memory if number % 2 else self.disk) / f"{name}{number}"
        folder.mkdir()
        return folder


@contextmanager
def places(keep: Path | None = None) -> Iterator[Places]:
    """Make them for a while; or in a folder where they stay."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with ExitStack() as stack:
        if keep is None:
            folders = [tempfile.TemporaryDirectory(prefix="cuts-", dir=d) for d in (None, memory)]
            disk, fast = (Path(stack.enter_context(folder)) for folder in folders)
        else:
            disk, fast = keep / "disk", keep / "memory"
            disk.mkdir(parents=True)
            fast.mkdir()
        yield Places(disk, fast)


@click.command(name="cuts", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--cuts", default=500, show_default=True, help="Simulated power cuts.")
@click.option("--seed", default=1, show_default=True, help="Decides all that is drawn.")
@click.option("--errors", default=0, help="Runs in which a write or a sync fails.")
@click.option(
    "--loop", "cycles", is_flag=False, flag_value=12, default=0, metavar="[CYCLES]",
    help="Shut a real ext4 down under a run; 12 times where no number follows.",
)  # fmt: skip
@click.option(
    "--lying", is_flag=False, flag_value="all", default="none", metavar="[all|meta]",
    type=click.Choice(["none", "all", "meta"]),
    help="Show that losses are found: the disk ignores all syncs, or those of meta pages only.",
)  # fmt: skip
@click.option(
    "--keep", type=click.Path(path_type=Path, exists=False), metavar="FOLDER",
    help="Make all runs in this new folder, and leave them there with their logs.",
)  # fmt: skip
def command(cuts: int, seed: int, errors: int, cycles: int, lying: str, keep: Path | None) -> None:
    """Cut the power of the journal's file at any moment of a real run.

    What the broker's sockets have promised is compared with what its own recovery finds.
    """
    console = Console(highlight=False, soft_wrap=True)
    found: Found = []
    with places(keep) as where:
        if why := preload.why_not():
            console.print(f"left out: {Name.POWER_CUT.value} ({why})")
            errors = cycles = cuts = 0
        total = Tally()
        for recording, tally in simulate(where, cuts, seed, Lie(lying)):
            total.merge(tally)
            if recording is not None:
                _say_recording(console, recording, tally)
        if total.cuts:
            _say_tally(console, total)
        found += total.found
        found += _run_errors(console, where, errors, seed)
        found += _run_loop(console, where, cycles, seed)
    for which, violation in found:
        console.print(f"  {which}: {violation}", markup=False)
    console.print("[bold red]not everything held[/]" if found else "[green]everything held[/]")
    sys.exit(bool(found))


# ---- power cuts ---------------------------------------------------------------------------------


def simulate(
    where: Places, cuts: int, seed: int, lie: Lie = Lie.NONE
) -> Iterator[tuple[Recording | None, Tally]]:
    """Record runs and cut the power at random moments of each.

    A run that does not come to its answer is a finding, without a recording.

    Parameters
    ----------
    where : Places
    cuts : int
        How many in all.
    seed : int
        Decides when brokers are killed, where the cuts are and what survives.
    lie : Lie
        What the disk does not do.
    """
    for number, first in enumerate(range(0, cuts, CUTS_A_RUN)):
        draw = Random(f"{seed} cuts {number}")
        try:
            recording = record(where.fresh("cuts", number), draw, SIZE)
        except RunFailed as error:
            yield None, Tally(found=[(f"run {number}", Violation(LIVENESS, str(error)))])
            continue
        count = min(CUTS_A_RUN, cuts - first)
        yield recording, cut(recording, count, draw, where.memory / f"check{number}", lie=lie)


def _say_recording(console: Console, recording: Recording, tally: Tally) -> None:
    console.print(
        f"a run of {recording.brokers} brokers, {len(recording.history.commits)} transactions and "
        f"{len(recording.promises.made)} promises: {tally.cuts} cuts, {tally.bad} bad, "
        f"{60 * tally.cuts / tally.seconds:,.0f} a minute"
    )


def _say_tally(console: Console, total: Tally) -> None:
    rate = 60 * total.cuts / total.seconds
    console.print(f"\n[bold]{Name.POWER_CUT.value}[/]: {total.cuts:,} cuts, {rate:,.0f} a minute")
    for fate in Fate:
        if total.fates[fate]:
            console.print(f"  {total.fates[fate]:7,}  {fate.value}")
    console.print("  transactions beyond the last that was synced:")
    for number, times in sorted(total.beyond.items()):
        console.print(f"  {times:7,}  {number:+d}" if number else f"  {times:7,}  none")
    console.print("  messages heard and not acknowledged, the share that survived:")
    for tenths, times in sorted(total.survivors.items()):
        words = "there was none" if tenths < 0 else f"{10 * tenths} to {10 * tenths + 10} %"
        console.print(f"  {times:7,}  {'all' if tenths == 10 else words}")


# ---- failing calls ------------------------------------------------------------------------------


def _run_errors(console: Console, where: Places, count: int, seed: int) -> Found:
    found: Found = []
    ways: Counter[tuple[str, str]] = Counter()
    cuts = 0
    for run in fail(where, count, seed):
        console.print(f"{run.fault}: {run.how if run.struck else 'the run had ended'}")
        ways[run.name.value, run.how if run.struck else "the run had ended before"] += 1
        cuts += run.cuts
        found += [(str(run.fault), violation) for violation in run.found]
    for (name, how), times in sorted(ways.items()):
        console.print(f"  [bold]{name}[/]: {times:3}  {how}")
    if count:
        console.print(f"  and {cuts:,} power cuts over the logs of these runs")
    return found


def fail(where: Places, count: int, seed: int) -> Iterator[ErrorRun]:
    """Run the script many times, with another call failing each time.

    Parameters
    ----------
    where : Places
    count : int
    seed : int
        Decides which call fails, and how.
    """
    if not count:
        return
    draw = Random(f"{seed} errors")
    # In memory, where a run makes many calls.
    clean = record(where.fresh("clean", 1), draw, SMALL, kill=False)
    for number, fault in enumerate(plan(draw, count, clean)):
        yield run_with(fault, where.fresh("errors", 2 * number + 1), draw, SMALL)


# ---- a real file system -------------------------------------------------------------------------


def _run_loop(console: Console, where: Places, cycles: int, seed: int) -> Found:
    found: Found = []
    if not cycles:
        return found
    if why := loop.why_not():
        console.print(f"left out: {Name.POWER_CUT.value} of a real ext4 ({why})")
        return found
    draw = Random(f"{seed} loop")
    for number in range(cycles):
        try:
            cycle = loop.cycle(where.fresh("loop", 2 * number), draw, SIZE)
        except RunFailed as error:
            found.append((f"ext4 cycle {number}", Violation(LIVENESS, str(error))))
            continue
        outcome = cycle.outcome
        console.print(
            f"ext4 shut down: {cycle.promised} promises, {outcome.fate.value}; of "
            f"{outcome.chances} messages not acknowledged {outcome.survivors} survived; "
            f"{'resumed to the right answer' if not cycle.found else 'see below'}"
        )
        found += [(f"ext4 cycle {number}", violation) for violation in cycle.found]
    return found
