"""``python -m tests.executor.cpython FILE NAME``: one class of CPython's tests, run against ours.

Its workers are up before each test, since some of those tests expect that a call has begun a tenth
of a second after it was submitted.
"""

from __future__ import annotations

import importlib
import sys
import unittest
from pathlib import Path
from typing import Any

from scoop_ft import Executor
from scoop_ft.executor import Future

BY_NAME = {
    "test_interpreter_shutdown", "test_submit_after_interpreter_shutdown", "test_hang_gh83386",
}  # fmt: skip


def executor_tests(theirs: Any, name: str) -> unittest.TestSuite:
    """Return the tests of one of their classes, for our executor."""

    class Primed(theirs.ExecutorMixin):  # type: ignore[misc, name-defined]
        executor_type = Executor

        def setUp(self) -> None:
            super().setUp()
            if not self.executor_kwargs:
                list(self.executor.map(theirs.mul, range(50), range(50)))

    asked = getattr(theirs, name)
    bases = (asked,) if issubclass(asked, theirs.ExecutorMixin) else (Primed, asked)
    ours: Any = type(name, (*bases, theirs.BaseTestCase), {"executor_type": Executor})
    names = unittest.defaultTestLoader.getTestCaseNames(ours)
    return unittest.TestSuite(ours(test) for test in names if test not in BY_NAME)


def future_tests(theirs: Any) -> unittest.TestSuite:
    """Return their tests of futures, for our futures."""
    theirs.Future = Future
    for name, future in list(vars(theirs).items()):
        if name.endswith("_FUTURE"):
            again = theirs.create_future(future._state, future._exception, future._result)
            setattr(theirs, name, again)
    return unittest.defaultTestLoader.loadTestsFromTestCase(theirs.FutureTests)


def main(path: str, name: str) -> int:
    """Run the tests of a class; return the exit code."""
    sys.path.append(str(Path(path).parent))  # so that workers find their functions
    theirs = importlib.import_module("test_concurrent_futures")
    tests = future_tests(theirs) if name == "FutureTests" else executor_tests(theirs, name)
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
