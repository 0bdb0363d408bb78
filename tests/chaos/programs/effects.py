"""A script that leaves something behind: what it does depends on whether it ran before.

With the word ``exclusive`` it cannot be run again; else it asks for less the next time.
"""

import sys
import time
from pathlib import Path

from scoop_ft import futures


def square(x: int) -> int:
    time.sleep(0.01)
    return x * x


if __name__ == "__main__":
    if "exclusive" in sys.argv:
        Path("begun").open("x").close()
    known = Path("known")
    count = int(known.read_text()) if known.exists() else 30
    print(sum(futures.map(square, range(count))))
    known.write_text(str(count - 1))
