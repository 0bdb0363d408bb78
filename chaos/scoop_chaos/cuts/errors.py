"""Writes and syncs of the journal's file that fail in real runs: EIO and ENOSPC, once or lasting.

The broker must stop and say why, or say that the disk is full and go on when there is room; the
launcher, or ``scoop-ft resume``, must bring the run to its answer; nothing that was promised may be
gone; and no broker syncs again after a sync that failed with EIO.  The power is cut over these
runs' logs too: what a failed sync should have stored counts as stored by no later one.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from scoop_chaos.faults import Fault as Name
from scoop_chaos.runs import LIMIT_S, POLL_S, RunFailed, RunProcess
from scoop_chaos.violations import LIVENESS, Violation

from .campaign import cut
from .log import Event, Kind
from .preload import Fault, build, environment
from .record import Recording, require_answer, start, watched_run

FAILED_SYNC = 12  # docs/invariants.md
CUTS = 25
_RUN = "run"
_BROKEN = re.compile("the disk under .* failed|cannot be opened|no room to (make|open) a journal")
_FULL = re.compile("is full: make room|no room to (make|open)")


class ErrorRun(NamedTuple):
    """A run with a failing disk.

    Attributes
    ----------
    struck : bool
        The run lived to see the fault.
    how : str
        How it went on.
    """

    fault: Fault
    struck: bool
    how: str
    cuts: int
    found: list[Violation]

    @property
    def name(self) -> Name:
        """What people call this fault."""
        if self.fault.number == errno.ENOSPC:
            return Name.DISK_FULL
        return Name.DISK_SYNC if self.fault.call == "sync" else Name.DISK_WRITE


def plan(draw: Random, count: int, recording: Recording) -> Iterator[Fault]:
    """Draw faults: each sort in turn, at any call that a run like the recorded one makes."""
    kinds = [event.kind for event in recording.events]
    calls = {"write": kinds.count(Kind.WRITING), "sync": kinds.count(Kind.SYNCING)}
    sorts = [
        (call, number, lasting)
        for call in calls
        for number in (errno.EIO, errno.ENOSPC)
        for lasting in (False, True)
    ]
    for turn in range(count):
        call, number, lasting = sorts[turn % len(sorts)]
        yield Fault(call, draw.randint(1, calls[call]), number, lasting)


def run_with(fault: Fault, folder: Path, draw: Random, size: Sequence[int]) -> ErrorRun:
    """Run the script while a call fails; return what was found.

    Parameters
    ----------
    fault : Fault
    folder : Path
        An empty folder.
    draw : Random
        Decides about the cuts.
    size : sequence of int
        The script's arguments.
    """
    run = watched_run(folder, environment(build(folder.parent), folder, fault))
    how, found = "it went on", list[Violation]()
    try:
        start(run, size, "--run-dir", _RUN)
        if fault.lasting and fault.number == errno.ENOSPC:
            _make_room_when_it_says_full(run)
        if run.wait():
            (folder / "room").touch()
            how = _go_on(run, size)
        require_answer(run, size)
    except RunFailed as error:
        found.append(Violation(LIVENESS, str(error)))
    finally:
        run.end()
    struck = (folder / "mark").exists()
    if found:
        return ErrorRun(fault, struck, how, 0, found)
    recording = Recording(folder)
    if struck:
        found += _words(fault, folder)
        found += _syncs_again(recording.events)
        if how == "it went on" and recording.brokers > 1:
            how = "its broker stopped and was started again"
    tally = cut(recording, CUTS, draw, folder / "cuts", ends=True)
    found += [violation for _, violation in tally.found]
    return ErrorRun(fault, struck, how, tally.cuts, found)


def _go_on(run: RunProcess, size: Sequence[int]) -> str:
    """Do what a user would; say what that is."""
    if (run.folder / _RUN / "run.json").exists():
        run.resume()
        return "it ended and was resumed"
    start(run, size, "--run-dir", _RUN)  # nothing was left of it
    return "it was refused and was started again"


def _make_room_when_it_says_full(run: RunProcess) -> None:
    """Let the fault end once the broker has said that the disk is full."""
    deadline = time.monotonic() + LIMIT_S
    while not run.has_ended():
        if _FULL.search(_said(run.folder)):
            (run.folder / "room").touch()
            return
        if time.monotonic() > deadline:
            raise RunFailed(f"nothing was said within {LIMIT_S} s: {_said(run.folder)[-2000:]}")
        time.sleep(POLL_S)


def _said(folder: Path) -> str:
    """Return what the run's commands and its broker have said to people."""
    log = folder / _RUN / "logs" / "broker.log"
    paths = [*sorted(folder.glob("stderr.*")), *([log] if log.exists() else [])]
    return "\n".join(path.read_text() for path in paths)


def _words(fault: Fault, folder: Path) -> Iterator[Violation]:
    """The failure is said to people; only one that the reserve has made good may go unsaid."""
    said = _said(folder)
    if fault.number == errno.EIO and not _BROKEN.search(said):
        yield Violation(FAILED_SYNC, f"nobody was told of {fault}: {said[-1000:]!r}")
    if fault.number == errno.ENOSPC and fault.lasting and not _FULL.search(said):
        yield Violation(FAILED_SYNC, f"nobody was told of {fault}: {said[-1000:]!r}")


def _syncs_again(events: Sequence[Event]) -> Iterator[Violation]:
    """No broker uses the file again after a sync that failed for any reason but want of room."""
    failed = 0
    for at, event in enumerate(events):
        if event.kind is Kind.BEGUN:
            failed = 0
        elif event.kind is Kind.SYNCED and event.result == -errno.EIO:
            failed = at
        elif failed and event.kind is Kind.SYNCING:
            yield Violation(FAILED_SYNC, f"event {at} syncs again after that of {failed} failed")
