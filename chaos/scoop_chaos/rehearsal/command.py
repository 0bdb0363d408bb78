"""``scoop-ft chaos``: rehearse a script.  The order of things; the rest is done elsewhere."""

from __future__ import annotations

import os
import random
import secrets
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

from scoop_journal import JournalError

from scoop_ft.cli import chaos as command
from scoop_ft.errors import RunError
from scoop_ft.launch.startable import check_script

from ..runs import RunFailed
from . import rest
from .departures import constants, departures
from .finding import Evidence, Finding
from .plan import draw
from .report import Report
from .results import results
from .rounds import Stage

__all__ = ["command", "findings", "rehearse"]


def rehearse(
    script: str,
    args: Sequence[str],
    *,
    workers: int,
    rounds: int,
    seed: int | None,
    keep: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Rehearse a script; return 0 when it is safe to resume, 1 when it is not.

    Raises
    ------
    RunError
        It cannot be run, or fails undisturbed.
    """
    check_script(script)
    seed = secrets.randbits(32) if seed is None else seed
    report = Report(quiet=quiet, verbose=verbose)
    words = ["-n", str(workers), "--rounds", str(rounds), "--seed", str(seed), script, *args]
    report.begin(script, os.getcwd(), rounds, workers, f"scoop-ft chaos {shlex.join(words)}")
    folder = Path(tempfile.mkdtemp(prefix="scoop-ft-chaos-"))
    try:
        with _ended_by_signals():
            stage = Stage(folder, [script, *args], workers=workers, seed=seed, verbose=verbose)
            code = _perform(stage, rounds, random.Random(seed), report)
    except (RunFailed, JournalError) as error:
        raise RunError(f"the rehearsal could not go on: {error}") from error
    finally:
        if keep:
            report.kept(str(folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _perform(stage: Stage, rounds: int, rng: random.Random, report: Report) -> int:
    report.running("undisturbed")
    first = stage.undisturbed()
    if first.code:
        report.failed(first)
        raise RunError(f"the script fails undisturbed, with exit code {first.code}: mend it first")
    if not first.book.submitted:
        return report.nothing()
    report.undisturbed(first)
    report.running("replay")
    replay = stage.replay(first)
    report.replay(replay)
    others = []
    for name in (f"round {number}" for number in range(1, rounds + 1)):
        report.running(name)
        others.append(stage.disturbed(name, draw(rng, first.timeline)))
        report.disturbed(others[-1])
    with closing(Evidence(first, replay, others)) as evidence:
        return report.found(findings(evidence))


def findings(evidence: Evidence) -> list[Finding]:
    """Return what was not the same, the gravest first."""
    found = [*rest.ends(evidence), *departures(evidence), *constants(evidence)]
    departed = bool(found)
    random_ones = list(results(evidence))
    found += random_ones
    if not departed:
        found += rest.other_calls(evidence, random=bool(random_ones))
    found += rest.printed(evidence, explained=bool(found))
    found += [*rest.order(evidence), *rest.late(evidence)]
    return sorted(found, key=lambda finding: -finding.weight)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the signals that end a process end it in good order: what was started is ended too."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
