"""The matrix as people read it: a table on a terminal, the same as Markdown for the docs.

Only words; what they say was measured elsewhere.  A row is a system, a column a death; what does
not fit into a field is quoted below, by number.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .judge import Cell, Outcome
from .measure import HEALTHY, UNDISTURBED, Measurement

STYLES = {
    Outcome.RIGHT: "green",
    Outcome.WRONG: "bold red",
    Outcome.ERROR: "red",
    Outcome.HANGS: "red",
    Outcome.NO_SUCH: "dim",
}


class MatrixTable:
    """A measurement in fields and notes."""

    def __init__(self, measured: Measurement) -> None:
        self._measured = measured
        self.footnotes: list[str] = []
        self.header = ["", *measured.rows]
        self.fields = [
            (system, [self._field(row, system.name) for row in measured.rows])
            for system in measured.systems
        ]

    # ---- one field ------------------------------------------------------------------------------

    def _field(self, row: str, name: str) -> tuple[str, Outcome]:
        cell = self._measured.rows[row][name]
        if cell.outcome is not Outcome.RIGHT:
            return self._not_right(cell), cell.outcome
        return f"{self._right(row, name, cell)}{self._footnote(cell.remark)}", cell.outcome

    def _not_right(self, cell: Cell) -> str:
        if cell.outcome is Outcome.NO_SUCH:
            return str(cell.outcome.value)
        hangs = cell.outcome is Outcome.HANGS
        quoted = f" ({cell.text})" if hangs else f" {self._footnote(cell.text)}"
        repeated = f", {cell.again} again" if cell.again else ""
        return f"{cell.outcome.value}{quoted}{repeated}"

    def _right(self, row: str, name: str, cell: Cell) -> str:
        if row == UNDISTURBED:
            return f"right, {cell.seconds:.1f} s" + (f", {cell.again} again" if cell.again else "")
        if row == HEALTHY:
            times = {1: "once", 2: "twice"}.get(cell.of_first, f"{cell.of_first} times")
            return f"executed {times}"
        before = self._measured.rows[UNDISTURBED][name].seconds
        more = "" if before is None or cell.seconds is None else f", {cell.seconds - before:+.1f} s"
        return f"right{more}, {cell.again} again, {cell.reused} of {cell.done_before} reused"

    def _footnote(self, text: str) -> str:
        if not text:
            return ""
        text = text.splitlines()[0]
        if text not in self.footnotes:
            self.footnotes.append(text)
        return f"[{self.footnotes.index(text) + 1}]"

    # ---- what is below --------------------------------------------------------------------------

    def notes(self) -> Iterator[str]:
        """Return the lines under the table."""
        measured, size = self._measured, self._measured.size
        report = measured.report()
        yield (
            f"{size.tasks} tasks of {size.seconds} s on 2 workers, the death after {size.after}. "
            "Seconds are from the program's first start to its answer; with a sign: against the "
            "same system undisturbed, which is measured first and last (the mean). Again: inputs "
            "that were begun more than once, those that the death interrupted included. Reused: "
            "inputs that had been executed to their end before the death and were not executed "
            "again. A stopped worker stays stopped. After the root's death the program is started "
            "again, by the system where it does so, else by hand on what outlived it, which may "
            "have gone on with what the dead one had asked for; after the death of everything all "
            "is started again. Hangs: no end after four times the undisturbed seconds and 30 more."
        )
        machine = report["machine"]
        versions = ", ".join(f"{title} {number}" for title, number in report["versions"].items())
        yield (
            f"Measured in one run, {report['date']}, {machine['cores']} cores, CPython "
            f"{machine['python']}, {machine['system']}, load at the end "
            f"{machine['load'][0]:.1f}: {versions}."
        )
        for title, note in report["notes"].items():
            yield f"{title}: {note}."

    # ---- as a whole -----------------------------------------------------------------------------

    def rich(self) -> RenderableType:
        """Return it for a terminal."""
        table = Table(pad_edge=False, show_lines=True)
        for title in self.header:
            table.add_column(title, overflow="fold")
        for system, fields in self.fields:
            shown = [Text(text, style=STYLES[outcome]) for text, outcome in fields]
            table.add_row(Text(system.title, style="bold"), *shown)
        below = [f"[{n}] {text}" for n, text in enumerate(self.footnotes, 1)]
        return Group(table, *(Text(line) for line in below), *map(Text, self.notes()))

    def markdown(self) -> str:
        """Return it for the docs."""
        lines = [_line(self.header), _line(["---"] * len(self.header))]
        lines += [
            _line([system.title, *(text for text, _ in fields)]) for system, fields in self.fields
        ]
        lines.append("")
        lines += [f"- [{n}] `{text}`" for n, text in enumerate(self.footnotes, 1)]
        lines += [f"- {line}" for line in self.notes()]
        return "\n".join(lines) + "\n"


def show(measured: Measurement, console: Console) -> None:
    """Print the table."""
    console.print(MatrixTable(measured).rich())


def _line(fields: list[str]) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in fields)} |"
