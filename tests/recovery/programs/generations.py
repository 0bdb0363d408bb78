"""A script that saves its state after each generation: ``generations.py GENERATIONS TASKS``.

Before it begins it has a task done; each generation is made of the one before; tasks note
``generation.task``.
"""

from __future__ import annotations

import random
import sys

from noting import note, wait_for_file

from scoop_ft import checkpoint, futures


def prepare() -> int:
    note("prepare")
    return 1


def improve(generation: int, place: int, value: float) -> float:
    note(f"{generation}.{place}")
    return value * 0.5 + place


if __name__ == "__main__":
    generations, tasks = int(sys.argv[1]), int(sys.argv[2])
    start = futures.submit(prepare).result()
    found = checkpoint.load({"generation": 0, "values": [float(start)] * tasks})
    assert found is not None
    while found["generation"] < generations:
        now = found["generation"]
        if now == generations // 2:
            wait_for_file("go")
        found["values"] = list(futures.map(improve, [now] * tasks, range(tasks), found["values"]))
        found["values"][0] += random.random()
        found["generation"] += 1
        checkpoint.save(found, every=0, wait=True)
    print(found["values"])
