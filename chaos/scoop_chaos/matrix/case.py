"""One system through one death: started, struck, started again where its user would, judged.

Real signals to real processes.  Whom to strike is read from the ledger (the worker that runs
something now, the process that runs the program) and from command lines (the broker).  Nothing is
left behind when a case ends, however it ends.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from ..faults import Fault
from ..signals import send
from .judge import Cell, Outcome, judge
from .ledger import count, executed_again_after
from .stage import CaseFailed, Deadline, Size, Stage
from .systems import System

PATIENCE_S = 10.0  # then a user ends a command whose program is dead

# ---- deaths ---------------------------------------------------------------------------------


def _worker(stage: Stage, deadline: Deadline) -> int:
    """Return a worker that runs a task now and is not the root."""

    def find() -> int | None:
        root = stage.ledger.root()
        return next((line.pid for line in stage.ledger.running() if line.pid != root), None)

    return stage.wait_for(find, "a worker at work", deadline)


def strike(stage: Stage, fault: Fault, deadline: Deadline) -> None:
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


def mend(stage: Stage, fault: Fault) -> str:
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
        wait_for_work(stage, Deadline(began + limit))
        stage.family.members()  # seen now, remembered when their parents are gone
        strike(stage, fault, Deadline(began + limit))
        struck = time.monotonic()
        before = len(stage.ledger.ended())
        remark = mend(stage, fault)
    ended = stage.wait_end(Deadline(struck + limit))
    seconds = time.monotonic() - began
    return _cell(stage, ended, struck, seconds, limit, before, remark)


def wait_for_work(stage: Stage, deadline: Deadline) -> None:
    """Wait until as many tasks have ended as are to come before the death."""

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
