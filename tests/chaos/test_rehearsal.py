"""``scoop-ft chaos`` on scripts that are safe to resume, and on scripts that are not."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.faults import Fault
from scoop_chaos.rehearsal import compare, outputs, plan, suspects
from scoop_chaos.rehearsal.outputs import Printed
from scoop_chaos.rehearsal.table import Row, Table
from scoop_chaos.runs import COMMAND

from scoop_ft.functions import dump_function
from scoop_ft.inspect.ask import differences
from scoop_ft.inspect.questions import Difference, Pair, Recorded
from scoop_ft.pickling import dumps
from scoop_ft.rundir import RunDir, RunInfo
from scoop_ft.wire.messages import Status

from ..waiting import eventually

PROGRAMS = Path(__file__).parent / "programs"
LIMIT_S = 120.0


class Place:
    """A folder to type the command in, with another one for temporary files."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "here"
        self.temporary = path / "tmp"
        self.folder.mkdir()
        self.temporary.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.temporary)}

    def command(self, program: str, *words: str, options: str = "--rounds 1") -> list[str]:
        script = PROGRAMS / f"{program}.py"
        return [*COMMAND, "chaos", *options.split(), "--seed", "7", str(script), *words]

    def rehearse(
        self, program: str, *words: str, options: str = "--rounds 1"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(program, *words, options=options),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )


@pytest.fixture
def place(tmp_path: Path, nothing_left: None) -> Iterator[Place]:
    """A place that has to be as empty afterwards as it was before."""
    one = Place(tmp_path)
    yield one
    assert list(one.temporary.iterdir()) == []
    assert not (one.folder / ".scoop-ft").exists()


def verdict(done: subprocess.CompletedProcess[str]) -> str:
    """Return what stands in the last paragraph, in one line."""
    return " ".join(done.stdout.strip().rpartition("\n\n")[2].split())


# ---- whole rehearsals -----------------------------------------------------------------------


def test_a_script_that_is_safe_to_resume(place: Place) -> None:
    done = place.rehearse("steady")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict(done) == "safe to resume"
    said = " ".join(done.stdout.split())
    assert "steady.py runs 3 times" in said
    hit = [fault for fault in plan.KINDS if f"% {fault.value}" in said]
    late = [fault for fault in plan.KINDS if f"% too late ({fault.value})" in said]
    assert {*hit, *late} == set(plan.KINDS), said
    assert len(late) <= 1, said  # the last one, if the machine stood still at the end of round 0
    assert list(place.folder.iterdir()) == []


def test_arguments_from_the_clock_and_the_system(place: Place) -> None:
    done = place.rehearse("clock")
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdict(done).startswith("not safe to resume: the script asks for other calls")
    said = " ".join(done.stdout.split())
    assert "21 tasks of simulate (replay and round 1)" in said
    noise = re.search(r"task 21, simulate, argument noise: ([\d.]+) -> ([\d.]+)", said)
    assert noise is not None, said
    assert float(noise[1]) < float(noise[2]) < time.time()
    assert re.search(r"task 41, simulate, argument key: b(.+) -> b(?!\1)", said), said
    assert "time.time (line 16) and os.urandom (line 19)" in said
    assert "the shared constant 'begun' changed when it was run again" in verdict(done)


def test_random_results_are_named_but_safe(place: Place) -> None:
    done = place.rehearse("measure")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict(done) == "safe to resume, but measure gives other results each time"
    said = " ".join(done.stdout.split())
    assert "measure gave other results for the same arguments: 30 of 30 compared" in said
    found = re.search(r"task 1, measure\(channel=0\): (\d+) -> (\d+)", said)
    assert found is not None, said
    assert found[1] != found[2]
    assert f"task 31, refine, argument value: {found[1]} -> {found[2]}" in said
    assert "as follows from the other results" in said
    assert "os.urandom (line 11)" in said


def test_submitting_in_the_order_of_completion_is_safe(place: Place) -> None:
    done = place.rehearse("chains")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict(done) == "safe to resume"


def test_a_script_that_fails_by_itself(place: Place) -> None:
    done = place.rehearse("fails")
    assert done.returncode == 2
    assert "ZeroDivisionError: division by zero\n" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == (
        "scoop-ft: error: the script fails undisturbed, with exit code 1: mend it first"
    )
    assert "resume" not in done.stdout


def test_nested_tasks_with_random_arguments(place: Place) -> None:
    done = place.rehearse("nested")
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdict(done).startswith("not safe to resume: a task of branch asks for other calls")
    said = " ".join(done.stdout.split())
    assert re.search(r"task [12]\.\d+, leaf, argument value: (\d+) -> (?!\1)\d+", said), said
    assert "os.urandom (line 15)" in said


def test_what_is_printed_is_compared(place: Place) -> None:
    done = place.rehearse("prints")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict(done) == "safe to resume, but it prints something else each time"
    assert re.search(r"^ +-began at ([\d.]+)\n +\+began at (?!\1)[\d.]+$", done.stdout, re.M)


def test_a_script_that_cannot_be_run_again(place: Place) -> None:
    done = place.rehearse("effects", "exclusive")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "replay ended with exit code 1" in verdict(done)
    assert "FileExistsError" in done.stdout
    assert {path.name for path in place.folder.iterdir()} == {"begun", "known"}


def test_a_script_that_asks_for_less_the_next_time(place: Place) -> None:
    done = place.rehearse("effects")
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdict(done) == "not safe to resume: the script asks for other calls in each run"
    assert re.search(r"\d tasks? fewer than undisturbed", done.stdout), done.stdout


def test_ended_from_outside_it_takes_everything_along(place: Place) -> None:
    words = place.command("steady", "1000", "0.02")
    with subprocess.Popen(
        words, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE
    ) as process:
        journals = "*/undisturbed/run/journal/data.mdb"
        eventually(lambda: list(place.temporary.glob(journals)))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("no.py", None, "there is no script no.py"),
        ("bad.py", "if x\n", "the script has a syntax error: bad.py, line 1: expected ':'"),
    ],
)
def test_errors_are_one_line(place: Place, name: str, text: str | None, error: str) -> None:
    if text is not None:
        (place.folder / name).write_text(text)
    done = subprocess.run(
        [*COMMAND, "chaos", name], cwd=place.folder, env=place.environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"scoop-ft: error: {error}\n"


def test_no_tasks_kept_quietly(place: Place) -> None:
    (place.folder / "hello.py").write_text("print('hello')\n")
    done = subprocess.run(
        [*COMMAND, "chaos", "--quiet", "--keep", "hello.py"],
        cwd=place.folder, env=place.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, where = done.stdout.splitlines()
    assert said == "nothing to resume: the script submits no task"
    folder = Path(where.removeprefix("kept: "))
    assert RunDir(folder / "undisturbed" / "run").info().script == str(place.folder / "hello.py")
    assert folder.parent == place.temporary
    shutil.rmtree(folder)


def test_nothing_else_imports_it() -> None:
    code = "import sys, scoop_ft.cli; sys.exit('scoop_chaos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---- parts ----------------------------------------------------------------------------------


def test_the_seed_decides_the_kills() -> None:
    timeline = plan.Timeline()
    for k in range(101):
        timeline.note(k / 10, k)
    one, same, other = (plan.draw(random.Random(seed), timeline) for seed in (1, 1, 2))
    assert one == same != other
    assert {strike.fault for strike in one} == set(plan.KINDS)
    for place, strike in enumerate(one):
        assert place / 4 <= strike.share <= (place + 1) / 4
        assert abs(strike.tasks - 100 * strike.share) <= 1


def test_moments_of_long_tasks_are_times() -> None:
    timeline = plan.Timeline()
    timeline.note(0.0, 0)
    timeline.note(10.0, 1)
    timeline.note(40.0, 1)  # the script goes on after its last task
    assert timeline.at(0.2) == (0, 8.0)
    assert timeline.at(0.5) == (1, 10.0)
    assert timeline.since(1) == 10.0
    assert timeline.since(2) is None


def test_moments_among_tasks_that_were_seen_at_once_are_numbers() -> None:
    timeline = plan.Timeline()
    timeline.note(0.001, 1000)  # all of it within one look
    assert timeline.at(0.0) == (0, 0.0)
    tasks, wait_s = timeline.at(0.25)
    assert abs(tasks - 250) <= 1
    assert wait_s == 0.0
    assert {strike.tasks for strike in plan.draw(random.Random(1), timeline)} <= set(range(1000))


def rows(calls: str, results: str = "") -> Table:
    """Make a table with a task a letter; a capital letter in ``results`` is another result."""
    letters = zip(calls, results or calls, strict=True)
    return Table({k: Row(c.encode(), r.encode(), "f") for k, (c, r) in enumerate(letters)}, {})


def test_tasks_are_matched_by_place_then_by_content() -> None:
    found = compare.compare(rows("abcde"), rows("acbde"))
    assert (found.moved, found.results, found.calls) == (2, [], [])
    found = compare.compare(rows("aab"), rows("aab", "aAB"))
    assert found.results == [(1, 1), (2, 2)]
    assert found.compared == {"f": 3}
    found = compare.compare(rows("abcd"), rows("axc"))
    assert (found.calls, found.missing, found.extra) == ([(1, 1)], [3], [])
    found = compare.compare(rows("ab"), rows("bxy"))
    assert (found.moved, found.calls, found.missing, found.extra) == (1, [], [0], [1, 2])


def test_outputs() -> None:
    same = outputs.compare
    assert same("a\nb\n", "a\na\nb\n", "a\nb\n") is Printed.SAME
    assert same("a\nb\n", "a\na\nb\n", "b\n") is Printed.SAME
    assert same("a\nb\n", "b\na\n", "b\na\n") is Printed.OTHER_ORDER
    assert same("a\nb\n", "a\nc\n", "a\nc\n") is Printed.OTHER
    assert same("", "a\n", "a\n") is Printed.OTHER
    assert outputs.difference("a\nb\n", "a\nc\n") == ["-b", "+c"]
    many = "".join(f"{k}\n" for k in range(50))
    assert outputs.difference(many, "")[-1] == "… and 44 lines more"


def test_suspects(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        "import random, time\n"
        "import numpy as np\n"
        "from os import urandom as noise\n"
        "from datetime import datetime\n"
        "a = np.random.default_rng(1), random.random(), time.sleep(0)\n"
        "b = np.random.default_rng()\n"
        "c = noise(4), datetime.now()\n"
        "d = np.random.normal()\n"
    )
    found = [
        ("numpy.random.default_rng", 6), ("os.urandom", 7), ("datetime.datetime.now", 7),
        ("numpy.random.normal", 8),
    ]  # fmt: skip
    assert suspects.suspects(path) == found
    assert suspects.suspects(path, tasks=True) == [("random.random", 5), *found]


@pytest.fixture
def info(tmp_path: Path) -> RunInfo:
    """A run whose script has a function and a class."""
    script = tmp_path / "script.py"
    script.write_text("print('imported')\n")
    return RunInfo(
        run="r", script=str(script), args=[], cwd=str(tmp_path), seed=1, workers=1, python="",
        created=0.0, max_attempts=3, path=str(tmp_path),
    )  # fmt: skip


def result(value: object, status: Status = Status.OK) -> Recorded:
    payload, buffers = dumps(value)
    return Recorded(payload, [bytes(buffer) for buffer in buffers], status=status)


def call(function: object, *args: object, **kwargs: object) -> Recorded:
    payload, _ = dumps([args, kwargs] if kwargs else args)
    return Recorded(payload, [], dump_function(function)[0])  # type: ignore[arg-type]


def test_differences_are_found_inside_values(info: RunInfo) -> None:
    import numpy as np

    large = np.zeros(20_000)
    changed = large.copy()
    changed[7] = 0.5
    pairs = [
        (result({"x": [1, 2]}), result({"x": [1, 3]})),
        (result(large), result(changed)),
        (result("a" * 100 + "b"), result("a" * 100 + "c")),
        (result((ValueError("a"), "trace")), result((ValueError("b"), "trace"))),
        (result(1.0), result(1)),
        (result({1, 2}), result([1, 2])),
        (call(divmod, 7, 3), call(divmod, 7, 4)),
        (call(textwrap_fill(), "text", width=3), call(textwrap_fill(), "text", width=4)),
    ]
    for pair in pairs[3]:
        pair.status = Status.RAISED
    found = differences(info, [Pair(*pair) for pair in pairs])
    assert [one.where for one in found[:2]] == [[("['x'][1]", "2", "3")], [("[7]", "0.0", "0.5")]]
    assert found[2].where == [("", f"…{'a' * 20}b'", f"…{'a' * 20}c'")]
    assert found[3].where == [("", "ValueError('a')", "ValueError('b')")]
    assert found[4].equal
    assert found[5].where == [("", "{1, 2}", "[1, 2]")]
    assert found[6].where == [("y", "3", "4")] or found[6].where == [("argument 2", "3", "4")]
    assert found[7].where == [("width", "3", "4")]
    assert found[7].old == "text='text', width=3"


def textwrap_fill() -> object:
    import textwrap

    return textwrap.fill


def test_what_cannot_be_loaded_is_said(info: RunInfo) -> None:
    (found,) = differences(info, [Pair(Recorded(b"no pickle", []), result(1))])
    assert found == Difference(False, found.old, found.new, [])
    assert found.old.startswith("<cannot be loaded: ")
    Path(info.script).write_text("import os; os._exit(3)\n")
    named = Recorded(b"c__main__\nsquare\n.", [])
    (found,) = differences(info, [Pair(named, result(1))])
    assert found.old == "<cannot be loaded here: exit code 3>"


def test_all_faults_are_of_the_common_list() -> None:
    assert set(plan.KINDS) <= set(Fault)
