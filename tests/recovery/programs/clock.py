"""Tasks whose argument is the time: ``clock.py TASKS SECONDS``.  No replay asks for them again."""

from __future__ import annotations

import sys
import time

from noting import note

from scoop_ft import futures


def measure(place: int, when: dict[str, float], seconds: float) -> int:
    note(place)
    time.sleep(seconds)
    return place


def steady(place: int) -> int:
    note(f"steady.{place}")
    return place


if __name__ == "__main__":
    note("before")
    early = sum(futures.map(steady, range(5)))
    moments = [{"t": time.time()} for _ in range(int(sys.argv[1]))]
    calls = [
        futures.submit(measure, k, moment, float(sys.argv[2])) for k, moment in enumerate(moments)
    ]
    print(early + sum(call.result() for call in calls))
