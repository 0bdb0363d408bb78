"""The same random call again and again: ``identical.py TASKS``.  Prints what was drawn."""

from __future__ import annotations

import json
import random
import sys
import time

from noting import note

from scoop_ft import futures

DICE = random.Random()


def draw() -> float:
    drawn = DICE.random()
    note(repr(drawn))
    time.sleep(0.002)  # what is left is to outlast the start of a new root
    return drawn


if __name__ == "__main__":
    print(
        json.dumps(
            [call.result() for call in [futures.submit(draw) for _ in range(int(sys.argv[1]))]]
        )
    )
