"""What a script leaves to the end of its process, is done at the end of its process."""

import atexit
import concurrent.futures
import csv
import sys
import tempfile
import types

from scoop_ft import futures


def square(x):
    return x * x


def at_exit():
    print("at exit", futures.submit(square, 3).result())


if __name__ == "__main__":
    results = open("results.csv", "w")  # noqa: SIM115 - as many scripts have it: never closed
    elsewhere = types.SimpleNamespace(file=open("elsewhere.txt", "w"))  # noqa: SIM115
    rows = csv.writer(results)
    for x, y in enumerate(futures.map(square, range(10))):
        rows.writerow([x, y])
        elsewhere.file.write(f"{y}\n")
    folder = tempfile.TemporaryDirectory(dir=".", prefix="of-the-script-")
    atexit.register(at_exit)
    threads = concurrent.futures.ThreadPoolExecutor(2)  # never shut down
    assert list(threads.map(square, range(3))) == [0, 1, 4]
    print("script")
    if sys.argv[1:]:
        sys.exit(sys.argv[1])
