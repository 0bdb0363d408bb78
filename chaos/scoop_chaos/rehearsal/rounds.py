"""Runs a script once in a run directory of its own: undisturbed, on its own journal, with kills.

What happened is told as a `Round`; nothing is judged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scoop_journal import Journal

from scoop_ft.broker.book import Book
from scoop_ft.broker.records import Kind
from scoop_ft.rundir import RunDir

from ..runs import LIMIT_S
from .follow import Departure, Follower
from .plan import Strike, Timeline
from .script import LOOK_S, Script
from .table import Table, read

RESTART_S = 2.0  # what a kill may cost
PATIENCE = 10  # a round may take so many times as long as the undisturbed one


@dataclass
class Round:
    """What became of one round.

    Attributes
    ----------
    name : str
        For people.
    code : int or None
        The exit code; None when it did not end within its limit.
    took_s, tasks : float, int
        How long it took; how many tasks were done in all.
    output, last_output : str
        All that was printed; that of the script's last start.
    task_lines : set of str
        Lines that tasks have printed.
    errors : str
        What was written to standard error.
    struck, late : list of Strike
        The kills that hit, and those for which the run had ended too early.
    book : Book
        What its journal holds.
    table : Table
        The script's tasks in it.
    departures, moved
        As `Follower` found them.
    """

    name: str
    directory: RunDir
    code: int | None = None
    took_s: float = 0.0
    tasks: int = 0
    output: str = ""
    last_output: str = ""
    task_lines: set[str] = field(default_factory=set)
    errors: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    struck: list[Strike] = field(default_factory=list)
    late: list[Strike] = field(default_factory=list)
    book: Book = field(default_factory=Book)
    table: Table = field(default_factory=lambda: Table({}, {}))
    departures: list[Departure] = field(default_factory=list)
    moved: int = 0


class Stage:
    """Where rounds are run: the same script, arguments, workers and seed each time.

    Parameters
    ----------
    folder : Path
        For the run directories.
    words : sequence of str
        The script and its arguments.
    workers, seed : int
    verbose : bool
        Let the runs say how they go.
    """

    def __init__(
        self, folder: Path, words: Sequence[str], *, workers: int, seed: int, verbose: bool
    ) -> None:
        self._folder = folder
        self._words = words
        self._quiet = [] if verbose else ["-q"]
        self._options = ["-n", str(workers), "--seed", str(seed)]
        self._limit_s = float("inf")

    def undisturbed(self) -> Round:
        """Run the script and leave it alone."""
        found = self._new_run("undisturbed", ())
        self._limit_s = PATIENCE * found.took_s + LIMIT_S
        return found

    def disturbed(self, name: str, plan: Sequence[Strike]) -> Round:
        """Run the script with kills."""
        return self._new_run(name, plan)

    def replay(self, first: Round) -> Round:
        """Run the script on all that the undisturbed round has recorded.

        It is as if everything had died after the last task and before the script's end.
        """
        with Journal.open(first.directory.journal) as journal:
            journal.append(Kind.RETRY, b"")
            journal.commit()
        with self._script("replay", first.directory) as script:
            script.go_on()
            return self._conduct(script, Round("replay", first.directory), ())

    def _new_run(self, name: str, plan: Sequence[Strike]) -> Round:
        folder = self._folder / name.replace(" ", "-")
        found = Round(name, RunDir(folder / "run"))
        with self._script(folder.name, found.directory) as script:
            where = os.fspath(found.directory.path)
            script.start(*self._quiet, *self._options, "--run-dir", where, *self._words)
            return self._conduct(script, found, plan)

    @contextmanager
    def _script(self, name: str, directory: RunDir) -> Iterator[Script]:
        script = Script(self._folder / name, directory, self._quiet)
        try:
            yield script
        finally:
            script.end()
            directory.drop_endpoint()  # a launcher that was killed has left it

    def _conduct(self, script: Script, found: Round, plan: Sequence[Strike]) -> Round:
        """Strike as planned, wait for the end, and gather what there is to know."""
        watch = _Watch(script, found, self._limit_s)
        try:
            for strike in plan:
                hit = watch.wait_for(strike) and script.strike(strike)
                (found.struck if hit else found.late).append(strike)
            watch.wait_for_the_end()
            watch.gather()
        finally:
            watch.follower.close()
        return found


class _Watch:
    """Looks at a run while it goes on."""

    def __init__(self, script: Script, found: Round, limit_s: float) -> None:
        self.follower = Follower(found.directory.journal)
        self._script = script
        self._found = found
        self._began = time.monotonic()
        self._first = 0.0  # when the first task was submitted
        self._limit_s = limit_s

    def wait_for(self, strike: Strike) -> bool:
        """Wait for the moment of a strike; tell whether it came before the end."""
        while self._goes_on():
            if self._first and self._is_due(strike):
                return True
            time.sleep(LOOK_S)
        return False

    def _is_due(self, strike: Strike) -> bool:
        """By the number of tasks; or by time, since fewer nested ones may be recorded."""
        since = self._found.timeline.since(strike.tasks)
        if since is not None and self._now() - since >= strike.wait_s:
            return True
        return self._now() >= strike.after_s + RESTART_S * len(self._found.struck)

    def wait_for_the_end(self) -> None:
        """Wait until the run has ended, or its limit has passed."""
        while self._goes_on():
            time.sleep(LOOK_S)

    def _goes_on(self) -> bool:
        ended = self._script.ended  # asked first: what was recorded before is then seen
        book = self.follower.book
        had_ended = book.exit_code is not None
        self.follower.update()
        if book.submitted and not self._first:
            self._first = time.monotonic()
        if self._first and not had_ended:
            self._found.timeline.note(self._now(), book.finished)
        return not ended and time.monotonic() - self._began < self._limit_s

    def _now(self) -> float:
        return time.monotonic() - self._first

    def gather(self) -> None:
        """Note what became of it."""
        found, script, follower = self._found, self._script, self.follower
        found.took_s = time.monotonic() - self._began
        found.code = script.wait(0) if script.ended else None
        found.book = follower.book
        found.tasks = found.book.finished
        found.output = script.printed.decode(errors="replace")
        found.last_output = script.last_printed.decode(errors="replace")
        found.errors = script.complaints.decode(errors="replace")
        for log in found.directory.logs.glob("worker-*.log"):
            found.task_lines.update(log.read_text(errors="replace").splitlines())
        found.departures, found.moved = follower.departures, follower.moved
        if (found.directory.journal / "data.mdb").exists():
            with follower.reader.reading() as view:
                found.table = read(follower.book, view)
