"""Tasks that each wait for one below: ``chain.py DEPTH...``; prints the seconds of each chain."""

import json
import sys
import time

from scoop_ft import futures


def chain(depth: int) -> int:
    return 0 if depth == 0 else 1 + futures.submit(chain, depth - 1).result()


if __name__ == "__main__":
    assert futures.submit(chain, 3).result() == 3
    took = []
    for depth in map(int, sys.argv[1:]):
        began = time.perf_counter()
        assert futures.submit(chain, depth).result() == depth
        took.append(time.perf_counter() - began)
    print(json.dumps(took))
