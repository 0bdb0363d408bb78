"""A task that draws its children's arguments by the system's dice, and so never twice the same."""

from __future__ import annotations

import random

from noting import note, wait_for_file

from scoop_ft import futures

DICE = random.Random()


def child(number: int, drawn: float) -> int:
    note(f"child.{number}")
    return number


def parent() -> int:
    note("parent")
    calls = [futures.submit(child, number, DICE.random()) for number in range(2)]
    total = sum(call.result() for call in calls)
    futures.submit(wait_for_file, "go").result()
    return total


if __name__ == "__main__":
    print(futures.submit(parent).result())
