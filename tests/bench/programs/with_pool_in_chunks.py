"""The benchmark on `ProcessPoolExecutor` with a chunk size chosen well for each map."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from measure import WORKERS, arguments, measure, noop

if __name__ == "__main__":
    with ProcessPoolExecutor(WORKERS) as pool:

        def map_in_chunks(function: Callable[..., Any], items: Iterable[Any]) -> Iterable[Any]:
            return pool.map(function, items, chunksize=1000 if function is noop else 20)

        measure(arguments(), map_in_chunks, pool.submit)
