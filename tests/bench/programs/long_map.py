"""A no-op map, when it is told to: ``long_map.py FOLDER TASKS``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from scoop_ft import futures


def noop(number: int) -> int:
    return number


def main() -> None:
    """Map once to warm up, and again once the file ``go`` is there."""
    folder, tasks = Path(sys.argv[1]), int(sys.argv[2])
    sum(futures.map(noop, range(50_000)))
    (folder / "ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    began = time.perf_counter()
    total = 0
    for value in futures.map(noop, range(tasks)):
        total += value
    assert total == tasks * (tasks - 1) // 2
    (folder / "figures.json").write_text(json.dumps(time.perf_counter() - began))
    while not (folder / "end").exists():
        time.sleep(0.01)


if __name__ == "__main__":
    main()
