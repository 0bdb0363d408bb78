"""The benchmark on ray: a head node with two cores on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import ray
from measure import WORKERS, arguments, measure


@cache
def remote(function: Callable[..., Any]) -> Any:
    return ray.remote(function)


class Result:
    """What `submit` returns, as others name it."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def result(self) -> Any:
        return ray.get(self._ref)


def map_(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
    found: list[Any] = ray.get([remote(function).remote(item) for item in items])
    return found


def submit(function: Callable[..., Any], *args: Any) -> Result:
    return Result(remote(function).remote(*args))


if __name__ == "__main__":
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    measure(arguments(), map_, submit)
