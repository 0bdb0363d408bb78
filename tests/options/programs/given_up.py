"""A tree whose tasks wait for a file that never comes is given up with all that it has begun."""

from __future__ import annotations

from noting import note, wait_for

from scoop_ft import futures


def tree(depth: int, name: str) -> int:
    note(name)
    if not depth:
        wait_for("never")
        return 1
    return sum(futures.map(tree, [depth - 1] * 3, [f"{name}{n}" for n in range(3)]))


def other(n: int) -> int:
    return n


if __name__ == "__main__":
    whole = futures.submit(tree, 2, "r")
    wait_for("begun")
    assert not whole.cancel(), "it runs"
    assert whole.cancel(subtree=True)
    assert whole.cancelled()
    assert whole.done()
    note("cancelled")
    wait_for("go")
    print(sum(futures.map(other, range(100))))
