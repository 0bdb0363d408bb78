"""What a campaign shows while it runs: a table that lives on a terminal, else a line an event."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .campaign import Campaign
from .recovery import percentile
from .trial import Trial

LINES: Final = 8
FRAMES_S: Final = 4


class View:
    """Shows events.  Use as a context.

    Parameters
    ----------
    console : Console
    minutes : float
        How long it shall take.
    """

    def __init__(self, console: Console, minutes: float) -> None:
        self.campaign: Campaign | None = None
        self._console = console
        self._minutes = minutes
        self._began = time.monotonic()
        self._last: deque[str] = deque(maxlen=LINES)
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(
                console=console, get_renderable=self._draw, refresh_per_second=FRAMES_S
            )

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def event(self, text: str) -> None:
        """Show an event."""
        line = f"{time.monotonic() - self._began:7.1f}  {text}"
        if self._live is None:
            self._console.print(Text(line), soft_wrap=True)
        else:
            self._last.append(line.splitlines()[0])

    def _draw(self) -> RenderableType:
        if self.campaign is None:
            return Text("finding out what this machine can do ...")
        totals, trial = self.campaign.totals, self.campaign.trial
        faults = totals.faults + trial.outcome.faults if trial is not None else totals.faults
        gone = (time.monotonic() - self._began) / 60
        head = Text(f"real chaos, seed {totals.seed}: {gone:.1f} of {self._minutes:g} minutes, ")
        head.append(f"{faults.total()} faults, {totals.trials} runs done", "bold")
        if totals.bad:
            head.append(f", {len(totals.bad)} with violations", "bold red")
        table = Table("fault", box=None, pad_edge=False)
        table.add_column("times", justify="right")
        table.add_column("recovered, p50", justify="right")
        table.add_column("max (s)", justify="right")
        for kind, number in faults.most_common():
            seconds = totals.times.clean.get(kind.value)
            shown = (f"{percentile(seconds, 50):.2f}", f"{max(seconds):.2f}") if seconds else ()
            table.add_row(kind.value, str(number), *shown)
        return Group(head, _of(trial), table, *(Text(line, "dim") for line in self._last))


def _of(trial: Trial | None) -> Text:
    """Say what runs now."""
    if trial is None:
        return Text()
    started = sum(line.what == "S" for line in list(trial.scene.ledger.lines))
    now = trial.outcome
    return Text(
        f"trial {trial.plan.number}: {trial.plan.title}; {started} starts of tasks, "
        f"{now.faults.total()} faults, {now.resumes} resumes"
    )
