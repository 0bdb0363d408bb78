"""Each example gives the same answer undisturbed, serially, and killed and resumed."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from scoop_chaos.runs import RunProcess

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
OPTIONS = ("-n", "2", "--seed", "0")  # of which plain Python has the numbers
SERIAL_LIMIT_S = 120.0


@dataclass(frozen=True)
class Example:
    """A script with arguments that keep two workers busy for some seconds."""

    name: str
    args: str
    half_done: int  # tasks after which it is killed: enough to see them reused
    serial: bool = True  # whether plain ``python`` gives the same answer, and soon


CASES = [
    Example("monte_carlo_pi.py", "--tasks 300 --darts 100000", 60),
    # Without a run nobody seeds `random`.
    Example("onemax_deap.py", "--generations 12 --effort 3000", 500, serial=False),
    Example("tree.py", "--queens 12 --depth 4", 100),
    Example("ising.py", "--size 64 --sweeps 3000 --every 0.2", 2, serial=False),
    Example("epidemic.py", "--members 1000 --people 100000", 200),
]


def script(example: Example) -> list[str]:
    return [str(EXAMPLES / example.name), *example.args.split()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Example], str]:
    """Return what an example prints when nothing happens to it: it is run once."""

    @functools.cache
    def run(example: Example) -> str:
        process = RunProcess(tmp_path_factory.mktemp("undisturbed"))
        return process.start(*OPTIONS, *script(example)).finish()

    return run


@pytest.mark.parametrize("example", CASES, ids=lambda example: example.name)
def test_killed_and_resumed_it_gives_the_same_answer(
    example: Example, run_process: RunProcess, undisturbed: Callable[[Example], str]
) -> None:
    run_process.start(*OPTIONS, *script(example))
    run_process.wait_for_tasks(example.half_done)
    run_process.kill_everything()
    interrupted = run_process.status()
    assert interrupted["state"] == "interrupted"
    assert run_process.output == "", "it had ended already: kill it earlier"

    assert run_process.resume().finish() == undisturbed(example)
    assert f"{interrupted['tasks']['done']} done" in run_process.errors
    assert run_process.status()["state"] == "done"


@pytest.mark.parametrize(
    "example", [example for example in CASES if example.serial], ids=lambda example: example.name
)
def test_it_gives_the_answer_of_plain_python(
    example: Example, tmp_path: Path, nothing_left: None, undisturbed: Callable[[Example], str]
) -> None:
    done = subprocess.run(
        [sys.executable, *script(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SERIAL_LIMIT_S,
        check=True,
    )
    assert "running serially" in done.stderr
    assert undisturbed(example) == done.stdout


def test_every_example_is_tested() -> None:
    assert {example.name for example in CASES} == {path.name for path in EXAMPLES.glob("*.py")}
