"""On Parsl: the program starts interchange, manager and workers itself.

With ``checkpoints`` as a further argument each result is kept on disk, and found when the program
is started again.
"""

import sys
from pathlib import Path

import parsl
from ledgered import answer, calls, square
from parsl.config import Config
from parsl.dataflow.memoization import BasicMemoizer
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

if __name__ == "__main__":
    keeps = sys.argv[5:] == ["checkpoints"]
    workers = HighThroughputExecutor(
        address="127.0.0.1",
        max_workers_per_node=2,
        provider=LocalProvider(init_blocks=1, max_blocks=1),
    )
    config = Config(
        executors=[workers],
        retries=2,
        run_dir=str(Path(sys.argv[4]) / "runinfo"),
        memoizer=BasicMemoizer(checkpoint_mode="task_exit") if keeps else None,
    )
    with parsl.load(config):
        app = parsl.python_app(square, cache=keeps)
        futures = [app(call) for call in calls()]
        answer(future.result() for future in futures)
