"""On ipyparallel, as a client of a controller and engines that were started before."""

import sys

import ipyparallel
from ledgered import answer, calls, square

if __name__ == "__main__":
    client = ipyparallel.Client(connection_info=sys.argv[4])
    client.wait_for_engines(2, timeout=30)
    view = client.load_balanced_view()
    view.retries = 2
    answer(view.map_async(square, calls(), chunksize=1).get())
