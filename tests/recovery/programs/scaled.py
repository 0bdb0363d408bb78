"""Tasks that read a shared constant, set from an argument: ``scaled.py FACTOR``."""

from __future__ import annotations

import sys

from noting import note

from scoop_ft import futures, shared


def scale(n: int) -> int:
    note(n)
    return int(shared.get_const("factor")) * n


if __name__ == "__main__":
    shared.set_const(factor=int(sys.argv[1]))
    print(list(futures.map(scale, range(4))))
    if sys.argv[2:] != ["end"]:
        sys.exit("it stops here")
