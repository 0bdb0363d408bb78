"""Tasks submitted as others end, in rounds of as_completed: ``completing.py CHAINS LINKS``.

Each task has children of its own.  The order of submissions differs each time.
"""

from __future__ import annotations

import random
import sys
import time

from noting import note, wait_for_file

from scoop_ft import futures

DICE = random.Random()  # not the run's: seeded by the system


def part(chain: int, place: int, number: int) -> int:
    note(f"{chain}.{place}.{number}")
    time.sleep(DICE.uniform(0.001, 0.02))
    return number


def link(chain: int, place: int) -> tuple[int, int]:
    note(f"{chain}.{place}")
    calls = [futures.submit(part, chain, place, number) for number in range(3)]
    assert sorted(call.result() for call in futures.as_completed(calls)) == [0, 1, 2]
    return chain, place


if __name__ == "__main__":
    note("before")
    chains, links = int(sys.argv[1]), int(sys.argv[2])
    calls = [futures.submit(link, chain, 0) for chain in range(chains)]
    ends = 0
    while calls:
        for call in futures.as_completed(calls):  # one, then all that are open are asked again
            calls.remove(call)
            chain, place = call.result()
            if place + 1 < links:
                calls.append(futures.submit(link, chain, place + 1))
            else:
                ends += 1
            break
    wait_for_file("go")
    print(ends)
