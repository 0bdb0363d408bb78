"""Mistakes with tasks that never end of themselves: limits of time, and what was given up."""

from __future__ import annotations

from .mutant import Mutant

_AGENT = "scoop_ft.launch.agent:Agent"

ENDLESS = (
    Mutant(
        "limit-is-not-kept",
        "The agent lets a task go on whose time limit is over.",
        f"{_AGENT}._end_overdue",
        "if now >= worker.sight.deadline:",
        "if False:",
    ),
    Mutant(
        "overdue-is-a-crash",
        "A task whose time limit was over is tried again, as after a crash.",
        f"{_AGENT}._gone",
        "overdue=bool(worker.overdue) and worker.overdue == sight.task,",
        "overdue=False,",
    ),
    Mutant(
        "children-have-no-limit",
        "The children of a task with a time limit have none.",
        "scoop_ft.client.scopes:Scope._closed_options",
        "if limit_s and not 0 < options.time_limit_s <= limit_s:",
        "if False:",
    ),
    Mutant(
        "given-up-goes-on",
        "The agent leaves a task alone that was cancelled while it ran.",
        f"{_AGENT}._end_overdue",
        "if now >= worker.ends_at():",
        "if False:",
    ),
    Mutant(
        "given-up-is-wanted-again",
        "A broker that was started again takes what parents gave up before for wanted.",
        "scoop_ft.broker.hello:_give_up",
        "if state in (HELD, QUEUED, LEASED):",
        "if False:",
    ),
)

# These take a broker's death, or a stop, between what was given up and what is said of it.
RARELY = (
    Mutant(
        "given-up-is-blamed",
        "A task whose worker was ended since it was cancelled is to blame for that.",
        f"{_AGENT}._gone",
        "ended_by_us = worker.overdue or worker.unwanted",
        "ended_by_us = worker.overdue",
    ),
    Mutant(
        "given-up-is-said-once",
        "A worker that has not heard that its task was given up is not told again.",
        "scoop_ft.broker.from_agent:_drop_cancelled",
        "if found is None or not b.book.is_given_up(task):",
        "if True:",
    ),
    Mutant(
        "given-up-is-said-before",
        "A batch that is said again to another broker is said without what was given up of it.",
        "scoop_ft.client.session:Session._on_cancelled",
        "self._give_up(asked, m.ranges)",
        "pass",
    ),
)
