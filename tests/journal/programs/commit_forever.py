"""Commit records of growing number for ever, saying after each commit what it holds.

Arguments: the journal's folder; the seed of the sizes; "unsynced".  Each record says its own
number; now and then the oldest are deleted.
"""

from __future__ import annotations

import random
import sys

from scoop_journal import Journal

synced = "unsynced" not in sys.argv[3:]
journal = Journal.open(sys.argv[1], map_size=1 << 20, reserve_bytes=0, synced=synced)
draw = random.Random(sys.argv[2])
while True:
    first = journal.last_seq + 1
    for _ in range(draw.randint(1, 20)):
        number = str(journal.last_seq + 1).encode()
        parts = [number] * draw.choice([0, 0, 0, 2])
        journal.append(1, number, number * draw.choice([1, 10, 3000]), parts)
    journal.put_blob(b"first of the last commit", str(first).encode())
    if draw.random() < 0.1 and first > 200:
        oldest = next(seq for seq, _ in journal.scan())
        journal.delete(oldest, min(100, first - oldest))
    last = journal.commit()
    print(last, flush=True)
