"""A script that submits from several threads: ``threads.py THREADS TASKS SECONDS``."""

from __future__ import annotations

import sys
import threading
import time

from noting import note, wait_for_file

from scoop_ft import futures

SECONDS = float(sys.argv[3])


def square(thread: int, n: int) -> int:
    note(f"{thread}.{n}")
    time.sleep(SECONDS)
    return n * n


def submit_all(thread: int, tasks: int, sums: dict[int, int]) -> None:
    calls = []
    for n in range(tasks):
        calls.append(futures.submit(square, thread, n))
        if n % 3 == thread:
            calls[-1].result()  # so that the threads' submissions interleave otherwise each time
    sums[thread] = sum(call.result() for call in calls)


if __name__ == "__main__":
    note("before")
    sums: dict[int, int] = {}
    threads = [
        threading.Thread(target=submit_all, args=(k, int(sys.argv[2]), sums))
        for k in range(int(sys.argv[1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for_file("go")
    print(sorted(sums.items()))
