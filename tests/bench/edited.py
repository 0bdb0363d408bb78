"""``python -m tests.bench.edited``: what it costs to know what functions mean.

Ratios, measured side by side in turn; the median of the rounds is shown.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scoop_ft import script
from scoop_ft.client import scopes
from scoop_ft.functions import dump_function
from scoop_ft.ids import digest
from scoop_ft.launch import edited
from scoop_ft.rundir import find_runs

ROUNDS = 7
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "epidemic.py"
KILLED = """
import os
from scoop_ft import futures
def f(x): return x
if __name__ == "__main__":
    list(futures.map(f, range(1000)))
    os.kill(os.getppid(), 9)
"""


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Return how long one time takes."""
    begin = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begin) / times


def side_by_side(one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float]:
    """Return the medians of two measurements made in turn."""
    pairs = [(one(), other()) for _ in range(ROUNDS)]
    first, second = zip(*pairs, strict=True)
    return statistics.median(first), statistics.median(second)


def known() -> None:
    """Defining a function that was defined before, which is done at each submit."""
    one, other = side_by_side(
        lambda: seconds(lambda: scopes.define(edited.find), 20_000),
        lambda: seconds(lambda: dump_function(edited.find), 20_000),
    )
    print(f"a function that is known: {one / other:.1f} times as long as finding its pickle")


def by_value() -> None:
    """Defining a closure that captures something else each time: the dearest case."""
    numbers = iter(range(1_000_000))

    def closure() -> Callable[[int], int]:
        number = next(numbers)
        return lambda x: x + number

    one, other = side_by_side(
        lambda: seconds(lambda: scopes.define(closure()), 300),
        lambda: seconds(lambda: digest(dump_function(closure())[0]), 300),
    )
    print(f"a new closure at each call: {one / other:.1f} times as long as its pickle and digest")


def first_definition() -> None:
    """The first definition of a function of an example, beside the import of that example."""
    script.prepare_worker(str(EXAMPLE))
    imported = seconds(script.load_for_worker)
    first = seconds(lambda: scopes.describe(script.from_script("simulate")))
    print(f"the first function of {EXAMPLE.name}: {first / imported:.2f} of the script's import")


def on_resume() -> None:
    """Finding out that nothing was edited: files untouched, touched; beside a bare Python."""
    with tempfile.TemporaryDirectory(prefix="scoop-ft-bench-") as name:
        folder = Path(name)
        study = folder / "study.py"
        study.write_text(KILLED)
        os.utime(study, (1e9, 1e9))
        subprocess.run(
            [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", "1", str(study)],
            cwd=folder, check=False, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        (run,) = find_runs(folder / ".")
        info = run.info()
        _, functions = edited.survey(run, unsafe_filesystem=False)
        assert functions, "the run was killed too early"

        def find() -> float:
            return seconds(lambda: edited.find(run, info, functions, as_before=True))

        def python() -> float:
            return seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True))

        same, bare = side_by_side(find, python)
        print(f"no file has changed: 'python -c \"\"' takes {bare / same:,.0f} times as long")
        os.utime(study)
        checked, bare = side_by_side(find, python)
        print(f"a file has changed: {checked / bare:.1f} times as long as 'python -c \"\"'")


if __name__ == "__main__":
    known()
    by_value()
    first_definition()
    on_resume()
