"""Chains whose next link is submitted as the one before ends: ``chains.py CHAINS LINKS SECONDS``.

The order of submissions follows the order of completions, which is another one each time.
"""

from __future__ import annotations

import random
import sys
import time

from scoop_chaos.real.noting import noted, write
from scoop_ft import futures

SECONDS = float(sys.argv[-1])
DICE = random.Random()  # not the run's: seeded by the system


@noted
def link(chain: int, place: int, value: int) -> tuple[int, int, int]:
    time.sleep(DICE.uniform(0, 2 * SECONDS))
    return chain, place, (31 * value + 7 * chain + place) % 1_000_003


if __name__ == "__main__":
    write("S", "root:")
    chains, links = int(sys.argv[1]), int(sys.argv[2])
    open_calls = {futures.submit(link, chain, 0, chain) for chain in range(chains)}
    ends: dict[int, int] = {}
    while open_calls:
        done, open_calls = futures.wait(open_calls, return_when=futures.FIRST_COMPLETED)
        for call in done:
            chain, place, value = call.result()
            if place + 1 < links:
                open_calls.add(futures.submit(link, chain, place + 1, value))
            else:
                ends[chain] = value
    print(sorted(ends.items()))
