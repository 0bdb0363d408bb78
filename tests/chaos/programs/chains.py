"""A script that submits in the order of completion: each result calls for the next one."""

import random
import time

from scoop_ft import futures


def step(chain: int, link: int) -> tuple[int, int]:
    time.sleep(random.uniform(0.005, 0.03))
    return chain, link


if __name__ == "__main__":
    pending = {futures.submit(step, chain, 0) for chain in range(4)}
    ended = []
    while pending:
        done, pending = futures.wait(pending, return_when=futures.FIRST_COMPLETED)
        for future in done:
            chain, link = future.result()
            if link < 14:
                pending.add(futures.submit(step, chain, link + 1))
            else:
                ended.append(chain)
    print(sorted(ended))
