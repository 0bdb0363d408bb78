"""Large results, and what they sum up to: ``large.py TASKS BYTES``."""

from __future__ import annotations

import sys

from noting import note

from scoop_ft import futures

BYTES = int(sys.argv[2])


def fill(n: int) -> bytes:
    note(n)
    return bytes([n % 251]) * BYTES


if __name__ == "__main__":
    print(sum(sum(data) for data in futures.map(fill, range(int(sys.argv[1])))))
