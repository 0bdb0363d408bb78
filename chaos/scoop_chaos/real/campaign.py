"""Trials, one after the other, until the time is over; and the sum of what came of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..faults import Fault
from ..runs import COMMAND, RunFailed
from .outcome import Answer, Emit, Outcome
from .plan import KINDS, TrialPlan, trial_plan
from .recovery import Times
from .stage import Stage
from .trial import Trial

SERIAL_S: Final = 600.0
LEAST_S: Final = 3.0  # no trial begins when less than this is left


@dataclass
class Totals:
    """What all trials so far came to."""

    seed: int
    missing: dict[Fault, str]
    trials: int = 0
    tasks: int = 0
    executions: int = 0
    resumes: int = 0
    seconds: float = 0.0
    faults: Counter[Fault] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    programs: Counter[str] = field(default_factory=Counter)
    times: Times = field(default_factory=Times)
    bad: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take in one trial."""
        self.trials += 1
        self.tasks += outcome.account.tasks
        self.executions += outcome.account.executions
        self.resumes += outcome.resumes
        self.seconds += outcome.seconds
        self.faults += outcome.faults
        self.again += outcome.account.again
        self.programs[outcome.plan.script.stem] += 1
        self.times.add(outcome.times)
        if outcome.violations:
            self.bad.append(outcome)


class Campaign:
    """Plays trials of a seed.

    Parameters
    ----------
    stage : Stage
    seed : int
    kinds : collection of Fault
        Which faults; those that the machine cannot do are left out.
    scripts : sequence of commands
        The user's own programs, each with its arguments.
    emit : callable
        Told each event, as a line.
    """

    def __init__(
        self,
        stage: Stage,
        seed: int,
        kinds: Collection[Fault],
        scripts: Sequence[Sequence[str]],
        emit: Emit,
    ) -> None:
        self.totals = Totals(seed, {k: why for k, why in stage.missing.items() if k in kinds})
        self.trial: Trial | None = None
        self._stage = stage
        self._seed = seed
        self._kinds = [kind for kind in KINDS if kind in kinds and kind not in stage.missing]
        self._scripts = scripts
        self._emit = emit
        self._answers: dict[tuple[str, ...], Answer] = {}

    def prepare(self) -> None:
        """Run the user's programs undisturbed, before the time begins."""
        for number, script in enumerate(self._scripts):
            self._emit(f"undisturbed: {' '.join(script)}")
            self._answer(trial_plan(self._seed, number, self._kinds, self._scripts))

    def run(self, seconds: float) -> Totals:
        """Play trials for so long, at least one."""
        until = time.monotonic() + seconds
        number = 0
        while number == 0 or time.monotonic() < until - LEAST_S:
            self.play(number, until)
            number += 1
        return self.totals

    def play(self, number: int, until: float) -> Outcome:
        """Play one trial."""
        plan = trial_plan(self._seed, number, self._kinds, self._scripts)
        self._emit(f"trial {number}: {plan.title}")
        self.trial = Trial(plan, self._stage, self._answer(plan), self._emit, until)
        try:
            outcome = self.trial.run()
            self.totals.add(outcome)
        finally:
            self.trial = None
        if outcome.violations:
            self._stage.keep = True
            self._emit(f"trial {number} is kept: {outcome.folder}")
        return outcome

    def _answer(self, plan: TrialPlan) -> Answer:
        """Return what the program prints when nothing is broken."""
        command = (str(plan.script), *plan.serial_args)
        if command not in self._answers:
            folder = self._stage.folder / f"serial{len(self._answers)}"
            folder.mkdir()
            began = time.monotonic()
            words = [sys.executable] if plan.ours else [*COMMAND, "run", "-q"]
            done = subprocess.run(
                [*words, *command], cwd=folder, capture_output=True, text=True, timeout=SERIAL_S
            )
            if done.returncode:
                raise RunFailed(f"undisturbed, {plan.script} fails: {done.stderr[-2000:]}")
            self._answers[command] = Answer(done.stdout, time.monotonic() - began)
        return self._answers[command]
