"""Whether what a parent submits may follow from the order in which results came, or of threads."""

from __future__ import annotations

import json

from scoop_chaos.runs import RunProcess

SCRIPT = """
import json
import sys
import threading

from scoop_ft import futures
from scoop_ft.client.runtime import current


def double(n):
    return 2 * n


def calls():
    return [futures.submit(double, n) for n in range(3)]


def thread():
    other = threading.Thread(target=calls)
    other.start()
    other.join()


WAYS = {
    "result": lambda: [call.result() for call in calls()],
    "exception": lambda: [call.exception() for call in calls()],
    "map": lambda: list(futures.map(double, (n for n in range(3)))),
    "map_reduce": lambda: futures.map_reduce(double, max, range(3)),
    "wait for all": lambda: futures.wait(calls()),
    "as_completed": lambda: list(futures.as_completed(calls())),
    "map_as_completed": lambda: list(futures.map_as_completed(double, range(3))),
    "wait for one": lambda: futures.wait(calls(), return_when=futures.FIRST_COMPLETED),
    "wait for some time": lambda: futures.wait(calls(), timeout=0.01),
    "done": lambda: calls()[0].done(),
    "running": lambda: calls()[0].running(),
    "cancel": lambda: calls()[0].cancel(),
    "add_done_callback": lambda: calls()[0].add_done_callback(print),
    "result in time": lambda: calls()[0].result(timeout=20),
    "another thread": thread,
}


def ways():
    found = {}
    scope = current().scope()
    for name, way in WAYS.items():
        scope.ordered, scope._thread = True, threading.get_ident()
        way()
        found[name] = scope.ordered
    return found


if __name__ == "__main__":
    assert current().scope().ordered
    with open("found", "w") as file:
        json.dump({"script": ways(), "task": futures.submit(ways).result()}, file)
"""
ORDERED = {"result", "exception", "map", "map_reduce", "wait for all"}


def test_who_asks_what_has_come_is_not_in_order(run_process: RunProcess) -> None:
    script = run_process.folder / "script.py"
    script.write_text(SCRIPT)
    run_process.start("-q", "-n", "1", script).finish()
    found = json.loads((run_process.folder / "found").read_text())
    del found["task"]["another thread"]  # a task's other threads have no futures
    for where in ("script", "task"):
        assert {name for name, ordered in found[where].items() if ordered} == ORDERED, where
