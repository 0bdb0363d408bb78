"""The script of the recorded runs: batches, tasks of tasks, small and large values, constants.

It prints one line that depends on every result.  Without ``scoop-ft run`` it runs serially, which
gives the answer to compare with.  ``script.py ROUNDS WIDTH``.
"""

from __future__ import annotations

import sys
import time
import zlib

from scoop_ft import futures, shared

PAUSE_S = 0.002


def leaf(number: int, size: int) -> bytes:
    """Return some bytes that follow from the arguments."""
    time.sleep(PAUSE_S)
    return (number * 2654435761 % 2**32).to_bytes(4, "little") * size


def branch(number: int, width: int) -> tuple[int, bytearray]:
    """Wait for tasks of its own."""
    parts = futures.map(leaf, range(number, number + width), [1 + number % 7 * 40] * width)
    checksum = zlib.crc32(b"".join(parts))
    return checksum, bytearray(checksum.to_bytes(4, "little") * (number % 5 * 600))


def trunk(number: int, width: int) -> int:
    """Wait for tasks that wait for tasks."""
    found = [call.result() for call in [futures.submit(branch, number, n) for n in range(width)]]
    return zlib.crc32(b"".join(bytes(data) for _, data in found), sum(c for c, _ in found) % 2**32)


def main(rounds: int, width: int) -> int:
    """Run some rounds, each depending on the one before."""
    state = 1
    for number in range(rounds):
        shared.setConst(**{f"round{number}": state})
        calls = [futures.submit(trunk, state % 1000 + n, width) for n in range(width)]
        flat = futures.map(leaf, range(width * 4), [state % 9 + 1] * (width * 4))
        state = zlib.crc32(b"".join(flat), state)
        state = zlib.crc32(repr([call.result() for call in calls]).encode(), state)
    return state


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2])))
