"""A script that is not safe to resume: what it asks for depends on the clock and the system."""

import os
import time

from scoop_ft import futures, shared


def simulate(member: int, *, noise: float, key: bytes = b"") -> int:
    time.sleep(0.02)
    return member


if __name__ == "__main__":
    fixed = [futures.submit(simulate, k, noise=0.5) for k in range(20)]
    begun = time.time()
    shared.set_const(begun=begun)
    late = [futures.submit(simulate, k, noise=begun) for k in range(20)]
    last = futures.submit(simulate, -1, noise=0.5, key=os.urandom(4))
    print(sum(future.result() for future in [*fixed, *late, last]))
