"""On dask.distributed, as a client of a scheduler and workers that were started before."""

import sys

from distributed import Client
from ledgered import answer, calls, square

if __name__ == "__main__":
    with Client(scheduler_file=sys.argv[4]) as client:
        client.wait_for_workers(2)
        answer(client.gather(client.map(square, calls())))
