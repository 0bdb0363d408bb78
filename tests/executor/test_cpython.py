"""CPython's own tests of what any executor does, run against ours where they are installed.

Many Pythons come without them; Debian has them in ``libpython3-testsuite``.  The environment
variable may name a ``test_concurrent_futures.py`` of Python 3.11 or earlier.

Left out: what is about threads or `multiprocessing` rather than executors (start methods,
``max_tasks_per_child``, BrokenProcessPool, processes that are ended when an executor is forgotten),
`FailingInitializerMixin` (an initializer's error is raised as itself, not as BrokenExecutor), and
three of `ExecutorShutdownTest`, whose programs import their executor from `concurrent.futures`
by name: `test_program_ends` has the same as programs of ours.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

VARIABLE = "SCOOP_FT_CPYTHON_TESTS"
LIMIT_S = 300.0


def _theirs() -> str:
    """Return the path of CPython's tests."""
    path = os.environ.get(VARIABLE)
    if path:
        return path
    found = importlib.util.find_spec("test")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        if (there := Path(folder, "test_concurrent_futures.py")).exists():
            return str(there)
    pytest.skip("this Python comes without test_concurrent_futures.py (one module until 3.11)")


@pytest.mark.parametrize(
    "name",
    [
        "ExecutorTest", "WaitTests", "AsCompletedTests", "ExecutorShutdownTest",
        "InitializerMixin", "FutureTests",
    ],
)  # fmt: skip
def test_cpython(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.executor.cpython", _theirs(), name],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
