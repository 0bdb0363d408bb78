"""A million calls, as users make them: ``millions.py SHAPE TASKS BYTES FOLDER MODE``.

SHAPE is ``map`` (one), ``maps`` (of 1,000 calls each), ``submits`` (in a loop, then taken as they
end), ``again`` (the same, submitted in another order each time) or ``tree`` (tasks that map 1,000
calls).  BYTES is the size of a result, 8 being a number.  MODE is

- ``gated``: two tasks hold the workers until the file ``go`` is there; the rest is queued;
- ``resumed``: the first time it fails when it has all results; the next time it goes on with a new
  call, which writes the time at which it began into the file ``new``;
- ``restarted``: when it has all results it submits two such gates and as many calls again, those
  of ``maps`` as one.

The file ``times`` gets when what was done, in seconds since 1970.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from scoop_ft import futures

SHAPE, MODE = sys.argv[1], sys.argv[5]
TASKS, BYTES = int(sys.argv[2]), int(sys.argv[3])
FOLDER = Path(sys.argv[4])
MANY = 1_000
times: dict[str, float] = {}


def result(number: int) -> object:
    return number if BYTES <= 8 else number.to_bytes(BYTES, "little")


def branch(first: int) -> int:
    return len(list(futures.map(result, range(first, first + MANY))))


def gate(number: int) -> None:
    while not (FOLDER / "go").exists():
        time.sleep(0.01)


def new() -> None:
    (FOLDER / "new").write_text(repr(time.time()))


def note(name: str) -> None:
    times[name] = time.time()
    (FOLDER / "times.new").write_text(json.dumps(times))
    (FOLDER / "times.new").replace(FOLDER / "times")


def results(shape: str) -> Iterator[object]:
    numbers = range(TASKS)
    if shape == "map":
        yield from futures.map(result, numbers)
    elif shape == "maps":
        for first in range(0, TASKS, MANY):
            yield from futures.map(result, range(first, first + MANY))
    elif shape == "tree":
        yield from futures.map(branch, range(0, TASKS, MANY))
    else:
        order = list(numbers)
        if shape == "again":
            random.Random(time.time_ns()).shuffle(order)
        calls = [futures.submit(result, number) for number in order]
        note("submitted")
        for call in futures.as_completed(calls):
            yield call.result()


def take(shape: str = SHAPE) -> None:
    """Take all results, and keep none."""
    expected = TASKS // MANY if shape == "tree" else TASKS
    tenth, count = max(expected // 10, 1), 0
    for _ in results(shape):
        count += 1
        if count % tenth == 0:
            note(f"tenth {count // tenth}")
    assert count == expected
    note("taken")


if __name__ == "__main__":
    note("began")
    if MODE == "gated":
        gates = [futures.submit(gate, number) for number in range(2)]
    take()
    if MODE == "resumed":
        if not (FOLDER / "again").exists():
            (FOLDER / "again").touch()
            sys.exit(1)
        futures.submit(new).result()
    if MODE == "restarted":
        gates = [futures.submit(gate, number) for number in range(2)]
        take("map" if SHAPE == "maps" else SHAPE)
