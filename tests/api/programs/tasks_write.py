"""Tasks write into files that the script opens at its top level, and that nobody closes."""

import csv
import fcntl
import multiprocessing
import os
import types

from scoop_ft import futures

log = open("log.txt", "a")  # noqa: SIM115 - as many scripts have it: never closed
rows = csv.writer(open("rows.csv", "a"))  # noqa: SIM115
binary = types.SimpleNamespace(file=open("elsewhere.bin", "ab"))  # noqa: SIM115
reader, writer = os.pipe()
os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)))
pipe = open(writer, "w")  # noqa: SIM115 - it is full, and nobody reads it


def writes(i):
    log.write(f"{i}\n")
    rows.writerow([i, i * i])
    binary.file.write(b"%d\n" % i)
    pipe.write("nobody reads it")
    if i == 5:  # a child has all that was not written yet, too
        child = multiprocessing.get_context("fork").Process(target=abs, args=(1,))
        child.start()
        child.join()
        pid = os.fork()
        if not pid:
            return None
        os.waitpid(pid, 0)
    return i


if __name__ == "__main__":
    assert sum(futures.map(writes, range(20))) == 190
    print("ok")
