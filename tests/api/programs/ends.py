"""Ends as it is told to, with tasks that nobody waited for."""

from __future__ import annotations

import sys

from scoop_ft import futures


def work(k: int) -> int:
    return k


def fails() -> None:
    raise ValueError("in the task")


def leaves(code: object) -> None:
    sys.exit(code)  # type: ignore[arg-type]


class Writes:
    """What is put in the place of standard output often has no more than this."""

    def write(self, text: str) -> None:
        with open("written", "a") as file:
            file.write(text)


def replaces() -> str:
    sys.stdout = Writes()  # type: ignore[assignment]
    return "from a task"


if __name__ == "__main__":
    forgotten = [futures.submit(fails) for _ in range(5)] + [futures.submit(work, 1)]
    assert futures.submit(work, 2).result() == 2
    how = sys.argv[1]
    if how == "exception":
        raise LookupError("of the script")
    if how == "task":
        futures.submit(fails).result()
    if how == "task-exits":
        futures.submit(leaves, {"0": 0, "3": 3}.get(sys.argv[2], sys.argv[2])).result()
    if how == "unpicklable":
        futures.submit(work, (k for k in "abc"))
    if how == "streams":
        futures.submit(print, "nobody reads this").result()
        print("nor this")
        sys.exit(3)
    if how == "writes":
        sys.stdout = Writes()  # type: ignore[assignment]
        print("ok")
        print(futures.submit(replaces).result())
        sys.exit(3)
    if how == "text":
        sys.exit("in words")
    print("ok", flush=True)
    sys.exit(int(how))
