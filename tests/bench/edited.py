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


def first_definition() -> None:
    """The first definition of a function of an example, with its digest and without."""
    script.prepare_worker(str(EXAMPLE))
    function = script.load_for_worker().simulate
    scopes.describe(function)  # what is imported for it
    whole = seconds(lambda: scopes.describe(function), 20)
    print(f"a function's digest once its code was read, {EXAMPLE.name}: {whole * 1e6:.0f} µs")


def by_value() -> None:
    """Defining a closure that captures something else each time: the dearest case."""

    def with_digest() -> float:
        return seconds(lambda: define_new(scopes.describe), 300)

    def without() -> float:
        return seconds(lambda: define_new(lambda func: (b"", "", ())), 300)

    with_it, without_it = side_by_side(with_digest, without)
    print(f"a new closure each call: {with_it / without_it:.2f} times as long with the digest")


_counter = 0


def define_new(describe: Callable[..., object]) -> None:
    """Define a closure that nobody has seen."""
    global _counter
    _counter += 1
    number = _counter
    kept, scopes.describe = scopes.describe, describe  # type: ignore[assignment]
    try:
        scopes.define(lambda x: x + number)
    finally:
        scopes.describe = kept


def known() -> None:
    """Defining a function that was defined before, which is done at each submit."""
    each = seconds(lambda: scopes.define(edited.find), 20_000)
    print(f"a function that is known: {each * 1e6:.2f} µs, with or without")


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
        print(f"no file has changed: {same / bare:.3f} times as long as 'python -c \"\"'")
        os.utime(study)
        checked, bare = side_by_side(find, python)
        print(f"a file has changed: {checked / bare:.1f} times as long as 'python -c \"\"',")
        print("and as long as the script's own imports take")


if __name__ == "__main__":
    known()
    by_value()
    first_definition()
    on_resume()
