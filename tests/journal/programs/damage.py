"""Damage a journal in hundreds of ways and count how opening it ends.  Argument: its folder.

Each damage is undone before the next.  When one of them kills this process, its exit code tells.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

from scoop_journal import Journal, JournalError

folder = Path(sys.argv[1])
data = folder / "data.mdb"
whole = data.read_bytes()
draw = random.Random(1)
outcomes: Counter[str] = Counter()
for number in range(300):
    page = number % (len(whole) // 4096) * 4096
    start = page + draw.choice([0, 10, 12, 16, 24, 200, 4000])
    size = draw.choice([1, 2, 8, 64])
    data.write_bytes(whole[:start] + draw.randbytes(size) + whole[start + size :])
    try:
        with Journal.open(folder, reserve_bytes=0) as journal:
            for _ in journal.scan():
                pass
            outcomes["harmless"] += 1
    except JournalError as error:
        outcomes[type(error).__name__] += 1
print(dict(outcomes))
