"""A million calls, as users make them: ``millions.py SHAPE TASKS BYTES FOLDER MODE``.

SHAPE is ``map``, ``maps`` (of 1,000), ``submits`` (in a loop, results as they come), ``again`` (submits in
the order in which an earlier call has ended) or ``tree`` (tasks that map 1,000).  BYTES is the size of
a result (8 or less: a number).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from scoop_ft import futures


def small(number: int) -> int:
    return number


def large(number: int) -> bytes:
    return number.to_bytes(SIZE, "little")


def children(number: int) -> int:
    return sum(futures.map(small, range(number, number + 1000)))


def gate(number: int) -> int:
    while not (FOLDER / "go").exists():
        time.sleep(0.01)
    return number


def new(path: str) -> float:
    now = time.time()
    Path(path).write_text(repr(now))
    return now


SHAPE, TASKS, SIZE, FOLDER, MODE = (
    sys.argv[1],
    int(sys.argv[2]),
    int(sys.argv[3]),
    Path(sys.argv[4]),
    sys.argv[5],
)
FUNCTION = small if SIZE <= 8 else large


def results() -> Iterator[object]:
    if SHAPE == "map":
        yield from futures.map(FUNCTION, range(TASKS))
    elif SHAPE == "maps":
        for first in range(0, TASKS, 1000):
            yield from futures.map(FUNCTION, range(first, first + 1000))
    elif SHAPE == "submits":
        calls = [futures.submit(FUNCTION, number) for number in range(TASKS)]
        t("submitted")
        for call in futures.as_completed(calls):
            yield call.result()
    elif SHAPE == "tree":
        yield from futures.map(children, range(0, TASKS, 1000))


times = {}


def t(name):
    times[name] = time.time()


if __name__ == "__main__":
    t("began")
    if MODE == "gated":
        gates = [futures.submit(gate, n) for n in range(2)]
        t("gates")
    it = iter(results())
    count = 0
    for r in it:
        if not count:
            t("first")
        count += 1
    t("last")
    (FOLDER / f"times.{int(times['began'] * 1000)}").write_text(json.dumps(times))
    if MODE == "resumed":
        print(futures.submit(new, str(FOLDER / "new")).result())
    with open("/proc/self/status") as f:
        print([l.strip() for l in f if l.startswith(("RssAnon", "VmHWM"))])
    print({k: round(v - times["began"], 3) for k, v in times.items()})
