"""How much memory each process of this run has had at most."""

from __future__ import annotations

import json

import psutil

from scoop_ft import futures


def report() -> None:
    """Print, as JSON, the peaks in MB by name; workers by their process ids."""
    futures.submit(abs, -1).result()
    family = psutil.Process().parent()
    assert family is not None
    found = {"launcher": peak_of(family.pid)}
    for child in family.children():
        words = child.cmdline()
        kind = words[words.index("-m") + 1].removeprefix("scoop_ft.")
        found[kind if kind != "worker" else f"worker {child.pid}"] = peak_of(child.pid)
    print(json.dumps(found))


def peak_of(pid: int) -> float:
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    raise LookupError(pid)
