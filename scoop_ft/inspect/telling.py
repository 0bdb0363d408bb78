"""What `explain` has found, in plain lines for people."""

from __future__ import annotations

from typing import Any

from .wording import number

SHOWN = 10

Plain = dict[str, Any]


def tell_task(found: Plain) -> None:
    """Print what happened to a task."""
    out = _Lines()
    call = f"{found['function']}({found['call'] or '…'})"
    out.head(f"task {found['task']} of run {found['run']}: {call}")
    chain = [f"task {one['task']}, {one['function']}" for one in found["parents"]]
    out.line(f"ordinal {found['ordinal']} of {' < '.join([*reversed(chain), 'the script'])}")
    if found["id"]:
        out.line(f"id {found['id']}, {found['state']}")
    for event in found["history"]:
        out.line(": ".join(filter(None, [event["what"], event["detail"]])))
    if found["departed"] is not None:
        out.warn(_headline(found["departed"], found["task"]))
        for line in _differs(found["departed"]):
            out.line(f"  {line}")
    if found["why"]:
        word = f"runs it ({found['reason']})" if found["again"] else "does not run it"
        out.line(f"a resume {word}: {found['why']}")


def tell_run(found: Plain) -> None:
    """Print the departures of a run, and what would run again."""
    out = _Lines()
    out.head(f"run {found['run']} of {found['script'] or 'programs with an Executor'}")
    _tell_departures(out, found)
    if not found["again"]:
        out.line("a resume would run no recorded task again")
    for reason, group in found["again"].items():
        examples = ", ".join(group["examples"])
        more = ", …" if group["count"] > len(group["examples"]) else ""
        out.warn(f"{number(group['count'], 'task')} would run: {reason}")
        out.line(f"  {found['means'][reason]}")
        out.line(f"  task{'s' * (group['count'] > 1)} {examples}{more}")


def _tell_departures(out: _Lines, found: Plain) -> None:
    departures = found["departures"]
    if not departures:
        out.line("no call departed from what is recorded")
        return
    out.warn(
        f"{number(found['mismatches'] or len(departures), 'call')} departed from what is recorded:"
    )
    for one in departures[:SHOWN]:
        out.line(_headline(one, ""))
        for line in _differs(one):
            out.line(f"  {line}")
    if len(departures) > SHOWN:
        out.line(f"… and {number(len(departures) - SHOWN)} more: --json lists all")


def _headline(one: Plain, task: str) -> str:
    """Name parent, ordinal and function of a departure."""
    parent = one["parent"]
    above = f"task {parent['task']}, {parent['function']}" if parent["task"] else "the script"
    where = f"ordinal {one['ordinal']} of {above}"
    old, new = one["function_old"], one["function_new"]
    what = new if old == new else f"{new} in place of {old}"
    if task and task == one["in_place_of"]:
        return f"departed: {where}, run again, is task {one['task']} instead: {what}"
    before = f"was {one['in_place_of']}" if one["in_place_of"] else "was another call"
    more = f" (first of {number(one['count'])} there)" if one["count"] > 1 else ""
    stop = "; the run was stopped for it" if not one["count"] else ""
    return f"departed: task {one['task']}, {where}, {before}: {what}{more}{stop}"


def _differs(one: Plain) -> list[str]:
    if "differs" not in one:
        return []
    if one["function_old"] == one["function_new"] and one["differs"]:
        return [
            f"argument {each['where']}: {each['old']} -> {each['new']}" for each in one["differs"]
        ]
    before, now = (f"{one[f'function_{k}']}({one[k]})" for k in ("old", "new"))
    return [f"before: {before}", f"now:    {now}"]


class _Lines:
    """Writes lines; rich is for colours only."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, soft_wrap=True, markup=False)

    def head(self, text: str) -> None:
        self._console.print(text, style="bold")

    def warn(self, text: str) -> None:
        self._console.print(f"  {text}", style="yellow")

    def line(self, text: str) -> None:
        self._console.print(f"  {text}")
