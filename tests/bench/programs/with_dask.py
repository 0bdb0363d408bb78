"""The benchmark on dask.distributed: a scheduler and two workers on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from distributed import Client, LocalCluster
from measure import WORKERS, arguments, measure

if __name__ == "__main__":
    with (
        LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):

        def map_(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
            # pure: the same call would be computed once
            return client.gather(client.map(function, list(items), pure=False))  # type: ignore[no-any-return]

        def submit(function: Callable[..., Any], *args: Any) -> Any:
            return client.submit(function, *args, pure=False)

        measure(arguments(), map_, submit)
