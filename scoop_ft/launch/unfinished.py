"""Which run of a folder is gone on with where somebody names none.

Only looks: nothing is started or changed here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import RunError
from ..rundir import RunDir, find_runs
from .launcher import resume_command
from .status import look


def last_unfinished(say: Callable[[str], None], folder: str = ".") -> RunDir:
    """Find the last run of a folder that has not finished, to go on with.

    One in which nothing is recorded (it was interrupted as it started) does not stand before one
    with results, which is told by ``say``.  When all have finished it is the last of them: whoever
    asks in a loop comes to an end.

    Raises
    ------
    RunError
        There is none; or one that was started later is running, for nobody has two by surprise, or
        cannot be read, for it may be the one that is meant.
    """
    runs = find_runs(folder)
    if not runs:
        raise RunError(
            "no run found in this folder: give the run directory, or start one with "
            "'scoop-ft run script.py'"
        )
    reasons: list[str] = []
    in_the_way: list[str] = []
    blank: list[RunDir] = []
    for directory in reversed(runs):
        row, is_blank = look(directory)
        if row["state"] in ("interrupted", "failed"):
            if row["script"] and not is_blank:
                return _alone(directory, in_the_way, blank, say)
            if row["script"]:
                blank.append(directory)
            else:
                reasons.append(f"{directory.called} has no script: its program goes on with it")
        elif row["state"] != "done":
            why = row.get("why")
            what = f"cannot be read: {why}" if why else f"is {row['state']}"
            reasons.append(f"{directory.called} {what}")
            if why:
                in_the_way.append(f"{directory.called} cannot be read ({why})")
            elif row["script"]:
                in_the_way.append(reasons[-1])
    if blank:
        return _alone(blank[0], in_the_way, [], say)
    if reasons:
        raise RunError("no run to go on with: " + "; ".join(reasons[:3]))
    return runs[-1]


def _alone(
    found: RunDir, in_the_way: list[str], blank: list[RunDir], say: Callable[[str], None]
) -> RunDir:
    """Return a run to go on with, unless a later one may be meant; say what was passed over."""
    if in_the_way:
        raise RunError(
            f"{in_the_way[0]}, and was started later than {found.called}, which is not finished: "
            f"to go on with that: {resume_command(found)}"
        )
    for directory in reversed(blank):
        say(f"nothing is recorded in {directory.called}: going on with {found.called}")
    return found
