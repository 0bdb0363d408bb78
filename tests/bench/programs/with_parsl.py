"""The benchmark on Parsl's high-throughput executor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import parsl
from measure import WORKERS, arguments, measure
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider


@cache
def app(function: Callable[..., Any]) -> Any:
    return parsl.python_app(function)


def map_(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
    futures = [app(function)(item) for item in items]
    return [future.result() for future in futures]


def submit(function: Callable[..., Any], *args: Any) -> Any:
    return app(function)(*args)


if __name__ == "__main__":
    workers = HighThroughputExecutor(
        address="127.0.0.1",
        max_workers_per_node=WORKERS,
        provider=LocalProvider(init_blocks=1, max_blocks=1),
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        parsl.load(Config(executors=[workers], run_dir=folder)),
    ):
        measure(arguments(), map_, submit)
