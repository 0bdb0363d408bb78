"""``python -m tests.bench.keeping``: what checkpoints and durable steps cost their task.

Runs one program under ``scoop-ft run``, journal synced, in a folder of the temporary directory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

PROGRAM = Path(__file__).parent / "programs" / "keeping.py"
ROWS = (
    ("save", "copy", "checkpoint.save(array): the task is stopped", "a copy of the array"),
    ("save, wait", "write, sync", "the same, until it is synced", "written to a file, synced"),
    ("load", "copy", "checkpoint.load()", "a copy of the array"),
)


def main() -> None:
    """Run it and show a table."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as folder:
        out = Path(folder, "figures.json")
        command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "1", str(PROGRAM), str(out)]
        subprocess.run(command, cwd=folder, check=True)
        found = json.loads(out.read_text())
    table = Table("what", "size", "ms", "beside it", "ms", "ratio", box=None)
    for size in ("1 MB", "100 MB"):
        for key, beside, what, other in ROWS:
            mine, theirs = found[size][key], found[size][beside]
            table.add_row(what, size, *_figures(mine, other, theirs))
    table.add_row(
        "futures.once(f)", "", *_figures(found["once"], "100 bytes synced", found["sync"])
    )
    other = "futures.submit(f).result()"
    table.add_row("futures.once(f)", "", *_figures(found["once"], other, found["submit"]))
    Console().print(table)


def _figures(mine: float, other: str, theirs: float) -> tuple[str, str, str, str]:
    return f"{mine * 1e3:.2f}", other, f"{theirs * 1e3:.2f}", f"{mine / theirs:.1f}"


if __name__ == "__main__":
    main()
