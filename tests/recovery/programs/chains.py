"""Chains of tasks whose next link is submitted as the one before ends: ``chains.py CHAINS LINKS``.

The order of submissions depends on the order of completions, which is another one each time.
"""

from __future__ import annotations

import random
import sys
import time

from noting import note, wait_for_file

from scoop_ft import futures

DICE = random.Random()  # not the run's: seeded by the system


def link(chain: int, place: int) -> tuple[int, int]:
    note(f"{chain}.{place}")
    time.sleep(DICE.uniform(0.001, 0.03))
    return chain, place


if __name__ == "__main__":
    note("before")
    chains, links = int(sys.argv[1]), int(sys.argv[2])
    open_calls = {futures.submit(link, chain, 0) for chain in range(chains)}
    ends: set[int] = set()
    while open_calls:
        done, open_calls = futures.wait(open_calls, return_when=futures.FIRST_COMPLETED)
        for call in done:
            chain, place = call.result()
            if place + 1 < links:
                open_calls.add(futures.submit(link, chain, place + 1))
            else:
                ends.add(chain)
    wait_for_file("go")
    print(sorted(ends))
