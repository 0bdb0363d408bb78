"""``python -m tests.bench.buffered [SECONDS]``: what a map's buffer costs.

Maps over tasks that do nothing (or sleep for so long), without a buffer and with some, in turn in
one run of two workers; shows the medians as shares of the map without.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "buffered.py"
ROUNDS = 5
CALLS, SLEEPING_CALLS = 200_000, 3_000


def main() -> None:
    """Measure, and print."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "0"
    calls = SLEEPING_CALLS if float(seconds) else CALLS
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as folder:
        command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "2"]
        command += ["--run-dir", f"{folder}/run", str(PROGRAM), str(calls), str(ROUNDS), seconds]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    rates: dict[int, list[float]] = defaultdict(list)
    for line in done.stdout.splitlines():
        _, size, rate = line.split()
        rates[int(size)].append(float(rate))
    medians = {size: statistics.median(found) for size, found in rates.items()}
    for size, rate in medians.items():
        name = f"buffersize={size:,}" if size else "no buffer"
        print(f"{name:20} {rate:10,.0f} calls/s   {rate / medians[0]:.2f}")


if __name__ == "__main__":
    main()
