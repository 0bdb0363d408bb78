"""What the user sees of a run's progress: a bar on a terminal, a line now and then elsewhere.

Turns the broker's figures into text; writes nothing itself.  rich is imported when the first bar
is drawn, by the thread that draws it.
"""

from __future__ import annotations

import io
import os
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final

PLAIN_S: Final = 10.0
RATE_WINDOW_S: Final = 10.0
WAITING_S: Final = 1.0


@dataclass(frozen=True)
class Figures:
    """One look at a run."""

    submitted: int = 0
    done: int = 0
    failed: int = 0
    resubmitted: int = 0
    reused: int = 0
    workers: int = 0  # up
    wanted: int = 0
    waiting: str = ""
    left: int = 0  # not done, and the script has ended well: it did not wait for them

    @classmethod
    def of(cls, stats: dict[str, Any], wanted: int, waiting: str) -> Figures:
        """Take them from the broker's statistics; ``waiting`` of our own goes first."""
        tasks, ended = stats.get("tasks", {}), stats.get("state") == "done"
        return cls(
            submitted=tasks.get("submitted", 0),
            done=tasks.get("done", 0),
            failed=tasks.get("failed", 0),
            resubmitted=tasks.get("resubmitted", 0),
            reused=tasks.get("reused", 0),
            workers=stats.get("workers_up", 0),
            wanted=wanted,
            waiting=waiting or stats.get("waiting", ""),
            left=tasks.get("pending", 0) + tasks.get("running", 0) if ended else 0,
        )


@dataclass
class Rate:
    """Tasks per second over the last seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def update(self, done: int, now: float) -> float:
        """Take in how many are done now; return the rate."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # counted anew
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > RATE_WINDOW_S:
            self._seen.popleft()
        (then, before), (_, _) = self._seen[0], self._seen[-1]
        return (done - before) / (now - then) if now > then else 0.0


def parts(figures: Figures, rate: float) -> list[str]:
    """Say how it goes now, each figure in a few words."""
    return [f"{format_rate(rate)}/s", _workers(figures), *events(figures)]


def events(figures: Figures) -> list[str]:
    """Say what is worth saying at the end too; what is zero is left out."""
    said = []
    for count, word in (
        (figures.failed, "failed"),
        (figures.resubmitted, "resubmitted"),
        (figures.reused, "reused"),
    ):
        if count:
            said.append(f"{count:,} {word}")
    return said


def _workers(figures: Figures) -> str:
    """Say how many workers are up, and of how many when not all are."""
    if figures.workers >= figures.wanted:
        return f"{figures.workers} worker" + "s" * (figures.workers != 1)
    return f"{figures.workers} of {figures.wanted} worker" + "s" * (figures.wanted != 1)


def format_rate(rate: float) -> str:
    """Write a rate with as many digits as mean something."""
    return f"{rate:,.0f}" if rate >= 10 or rate == 0 else f"{rate:.2g}"


def format_age(seconds: float) -> str:
    """Write a duration as h:mm:ss, with days in front when there are any."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return (f"{days}d " if days else "") + f"{hour}:{minute:02}:{second:02}"


class Progress:
    """Holds the latest figures; the loop updates them, the screen's thread draws them.

    ``done_before`` is how many tasks were done before this launcher began.
    """

    def __init__(self, now: float, done_before: int = 0) -> None:
        self.figures = Figures()
        self.done_before = done_before
        self._began = now
        self._waiting_since = now
        self._rate = Rate()
        self._rate_now = 0.0
        self._plain_at = now + PLAIN_S
        self._plain_said: Figures | None = None
        self._console: Any = None

    def update(self, figures: Figures, now: float) -> None:
        """Take in a new look.  Waiting is worth a word when it lasts."""
        if not figures.waiting:
            self._waiting_since = now
        elif now - self._waiting_since < WAITING_S:
            figures = replace(figures, waiting="")
        self.figures = figures
        if figures.submitted:  # what was done before a resume is not done now
            self._rate_now = self._rate.update(figures.done, now)

    # ---- plain lines ----------------------------------------------------------------------------

    def plain_due(self, now: float, *, quiet: bool = False) -> str:
        """Return the line that is due, if something changed; else nothing.

        A new reason to wait is due at once.  ``quiet`` hears of waiting only, and only when it
        lasts.
        """
        waiting = self.figures.waiting
        said = self._plain_said.waiting if self._plain_said is not None else ""
        if now < self._plain_at and (quiet or not waiting or waiting == said):
            return ""
        self._plain_at = now + PLAIN_S
        if quiet and not waiting:
            return ""
        return self.plain() if self.figures != self._plain_said else ""

    def plain(self) -> str:
        """Return the figures as a line."""
        self._plain_said = figures = self.figures
        text = f"{figures.done:,} of {figures.submitted:,} tasks done, "
        text += ", ".join(parts(figures, self._rate_now))
        return text + (f"; waiting: {figures.waiting}" if figures.waiting else "")

    def last(self, now: float) -> str:
        """Return the line for the end of the run: the whole of it, with its mean rate."""
        figures, took = self.figures, now - self._began
        mean = (figures.done - self.done_before) / took if took > 0 else 0.0
        of = f" of {figures.submitted:,}" if not figures.left else ""
        said = f"{figures.done:,}{of} tasks done in {_took(took)}"
        left = [f"{figures.left:,} not waited for"] if figures.left else []
        return ", ".join([said, f"{format_rate(max(0.0, mean))}/s", *events(figures), *left])

    # ---- the bar --------------------------------------------------------------------------------

    def draw(self) -> bytes:
        """Return the bar as one line that fits the terminal, with its colours."""
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if self._console is None:
            self._console = Console(file=io.StringIO(), force_terminal=True, highlight=False)
        figures = self.figures
        now = time.monotonic()
        width = max(20, terminal_width() - 3)  # a "^C" behind it must not wrap
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(
            total=max(1, figures.submitted),
            completed=figures.done,
            width=max(5, min(30, width // 4)),
            pulse=not figures.submitted,
            animation_time=now,
        )
        text = Text(f"{figures.done:,}/{figures.submitted:,}", style="bold", no_wrap=True)
        if figures.waiting:
            text.append(f"  waiting: {figures.waiting}", style="not bold yellow")
        for part in parts(figures, self._rate_now):
            text.append(f"  {part}", style="not bold")
        text.append(f"  {format_age(now - self._began)}", style="not bold cyan")
        text.overflow = "ellipsis"
        grid.add_row(bar, text)
        with self._console.capture() as capture:
            self._console.print(grid, width=width, no_wrap=True, overflow="ellipsis", end="")
        line = capture.get().split("\n", 1)[0]
        return str(line).rstrip().encode("utf-8", "replace")


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else format_age(seconds)


def terminal_width() -> int:
    """Return how many columns the terminal has."""
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
