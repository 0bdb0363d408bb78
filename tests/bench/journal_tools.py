"""``python -m tests.bench.journal_tools [TASKS]``: how long it takes to look into a journal.

Makes one run of many small tasks, and times each command on its journal.  The last line is what
`gzip` takes for the same file: a measure of the machine.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SCRIPT = """
import sys
from scoop_ft import futures

def square(x):
    return x * x

if __name__ == "__main__":
    print(sum(futures.map(square, range(int(sys.argv[1])))))
"""
COMMAND = (sys.executable, "-m", "scoop_ft")


def main() -> None:
    """Print a line for each command."""
    tasks = sys.argv[1] if len(sys.argv) > 1 else "300000"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.py").write_text(SCRIPT)

        def typed(*words: str) -> Callable[[], object]:
            return lambda: subprocess.run(
                [*COMMAND, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )

        typed("run", "-q", "-n", "2", "--run-dir", "r", "script.py", tasks)()
        data = folder / "r" / "journal" / "data.mdb"
        print(f"{int(tasks):,} tasks, {data.stat().st_size / 1e6:.1f} MB")
        for what, act in (
            ("status", typed("status", "r")),
            ("journal ls", typed("journal", "ls", "r")),
            ("journal show", typed("journal", "show", "r", "17")),
            ("journal export", typed("journal", "export", "r")),
            ("export as pickle", typed("journal", "export", "r", "--format", "pickle", "-o", "f")),
            ("journal compact", typed("journal", "compact", "r")),
            ("gzip", lambda: gzip.compress(data.read_bytes())),
        ):
            began = time.perf_counter()
            act()
            took = time.perf_counter() - began
            print(f"{what:<18} {took:6.2f} s {int(tasks) / took:12,.0f} tasks/s")


if __name__ == "__main__":
    main()
