"""Many tasks that do nothing, from a generator."""

from __future__ import annotations

import sys
import time

import peaks

from scoop_ft import futures

if __name__ == "__main__":
    count = int(sys.argv[1])
    began = time.monotonic()
    results = futures.map(abs, (-k for k in range(count)))
    submitted = time.monotonic() - began
    assert sum(results) == count * (count - 1) // 2
    print(f"submitted in {submitted:.1f} s, all in {time.monotonic() - began:.1f} s")
    peaks.report()
