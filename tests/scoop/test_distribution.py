"""SCOOP's own examples and tests, from its source distribution, run with ``--scoop``.

The distribution is downloaded once, from PyPI, and only run.  What is expected of the examples is
what real SCOOP 0.7.2.0 prints for them, but for what differs from run to run, and for what
`docs/scoop.md` names: exit codes, and the sums of ``mapScan``.
"""

from __future__ import annotations

import concurrent.futures
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import Done, call, lines

WANTED = "scoop==0.7.2.0"


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("scoop-sdist")
    words = ["download", "-q", "--no-binary", ":all:", "--no-deps", "--dest", str(folder), WANTED]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"cannot download {WANTED} from PyPI: {last}")
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
    [unpacked] = folder.glob("scoop-*/")
    return unpacked


class Expected(NamedTuple):
    """What an example does."""

    prints: str  # a pattern for all of its output
    exit_code: int = 0
    ends: str = ""  # what its standard error has


NUMBER = r"[\d.]+(?:e-\d+)?"
TIMED = (
    rf"Executed parallely in: {NUMBER}s with result: (.*)\n"
    rf"Executed serially in: {NUMBER}s with result: \1\n"
)
HELLOS = "".join(f"Hello World from Future #{k}\n" for k in range(16))
EXAMPLES = {
    "callback": Expected(r"(?:Done: [1-5]\n){5}"),
    "conditional_execution": Expected(r"Hello (?:Parallel )?World\n"),
    "conditional_import": Expected(HELLOS),
    "deap_ga_evosn": Expected(r"(?s).*\d+ errors, length \d+, depth \d+\n"),
    "deap_ga_onemax": Expected(r"(?s)gen\t.*\n40 \t\d+ +\t.*\n"),
    "except_example": Expected("", 1, "Exception: This exception is normal\n"),
    "full_tree": Expected("76153\n"),
    "lambda": Expected(r"\[0, 2, .*, 18\]\n\[1\.0, 0\.54\d+, .*\]\n\[1, 2, .*, 10\]\n"),
    "map_as_completed": Expected(
        r"Execution of map\(\):\n(?:Hello from #\d!\n){10}"
        r"Execution of map_as_completed\(\):\n(?:Hello from #\d!\n){10}"
    ),
    "map_doc": Expected(HELLOS),
    "map_reduce": Expected(TIMED),
    "map_scan": Expected(TIMED),
    "object": Expected(
        r"\[(?:<__main__\.myClass object at \w+>(?:, )?){20}\]\n\[(?:6(?:, )?){20}\]\n"
    ),
    "pi_calc": Expected(rf"pi = 3\.14\d*\ntotal time: {NUMBER}\n"),
    "pi_calc_doc": Expected(r"pi = 3\.14\d*\n"),
    "recurse": Expected(r"2\^12 = 4096\n"),
    "rssDoc": Expected(rf"mapReduce result obtained in {NUMBER}s\nSerial result .* {NUMBER}s\n"),
    "shared_example": Expected(  # what workers print may be here after what the script prints
        r"(?:Hello World from b'.*?'!\n|Second element\n|\[1, 2, .*, 10\]\n){21}"
    ),
    "shared_example_doc": Expected(
        r"(?s)English .*\nPlayer 0: 102\nPlayer 1: 122\nPlayer 2: 74\nPlayer 3: 145\n"
    ),
    "sorting": Expected(rf"Parallel time: {NUMBER}s\nSerial time: +{NUMBER}s\n"),
    "sum_multiples": Expected(rf"Serial time: {NUMBER} s\nParallel time: {NUMBER} s\n"),
    "tree_traversal": Expected(
        rf"(?s).*Parallel result: (\d+)\nSerial result: +\1\n.*Serial time: +{NUMBER}s\n"
    ),
}
# What cannot be run with SCOOP either, or needs more than this machine.
NOT_RUN = {
    "image_resize": "imports PIL as it was called until 2011",
    "interactive_shell": "is typed into, see below",
    "url_fetch": "needs the web",
    "url_fetch_doc": "needs the web",
}


@pytest.fixture
def examples(distribution: Path, tmp_path: Path, nothing_left: None) -> Path:
    """A copy of the examples, to be run in the test's folder."""
    folder = tmp_path / "examples"
    shutil.copytree(distribution / "examples", folder)
    return folder


def test_each_example_is_looked_at(distribution: Path) -> None:
    found = {path.stem for path in (distribution / "examples").glob("*.py")}
    assert found == EXAMPLES.keys() | NOT_RUN.keys()


SLEEPERS = ("map_reduce", "callback")  # they are begun first: others compute meanwhile
AT_ONCE = 3


@pytest.fixture(scope="session")
def outcomes(
    distribution: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, concurrent.futures.Future[Done]]]:
    """What the examples that are asked for do, each in a folder of its own."""

    def run(name: str) -> Done:
        folder = tmp_path_factory.mktemp(name, numbered=False) / "examples"
        shutil.copytree(distribution / "examples", folder)
        return call(folder, "--scoop", "-q", "-n", "2", f"{name}.py")

    asked = {item.name for item in request.session.items}
    names = [name for name in (*SLEEPERS, *EXAMPLES) if f"test_example[{name}]" in asked]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run, name) for name in dict.fromkeys(names)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(outcomes: dict[str, concurrent.futures.Future[Done]], name: str) -> None:
    expected = EXAMPLES[name]
    done = outcomes[name].result()
    assert done.returncode == expected.exit_code, done.stderr
    assert re.fullmatch(expected.prints, done.stdout), done.stdout
    assert done.stderr.endswith(expected.ends)


def test_example_with_an_argument(examples: Path) -> None:
    done = call(examples, "--scoop", "-q", "-n", "2", "shared_example_doc.py", "francais")
    assert lines(done)[0] == "French letter values used."


def test_example_that_is_typed_into(examples: Path) -> None:
    typed = "list(futures.map(abs, [-1, 2]))\nfutures.submit(lambda: scoop.SIZE).result()\n"
    done = call(examples, "--scoop", "-q", "-n", "2", "interactive_shell.py", stdin=typed)
    assert lines(done)[:2] == [">>> [1, 2]", ">>> 2"]


def test_example_with_modules_beside_it(examples: Path) -> None:
    """A tree of tasks; `Tree.py` lies beside the script, and the script asserts its own answer."""
    tree = examples / "tree"
    make = ["TreeGen.py", "-s", "0.0001", "--height", "4", "-m", "2", "-M", "3"]
    subprocess.run([sys.executable, *make], cwd=tree, check=True, capture_output=True)
    found = lines(call(tree, "--scoop", "-q", "-n", "2", "scoop_tree.py", "tree.txt"))
    assert found[0].startswith("total time : ")
    assert found[1] == "cores : 2"


# ---- its tests ----------------------------------------------------------------------------------

# Upstream's test module takes SCOOP to pieces: it starts brokers by hand and looks into queues.
# Before it is imported, these files beside it stand for those pieces, in the root and in workers.
STAND_INS = {
    "tests_parser.py": """
import sys, types, unittest
from scoop import futures

class TestUtils(unittest.TestCase):
    pass

def put(name, **names):
    made = sys.modules["scoop." + name] = types.ModuleType("scoop." + name)
    made.__dict__.update(names)
    setattr(sys.modules["scoop"], name, made)

class FutureQueue:
    class socket:
        pumpInfoSocket = staticmethod(lambda: None)

put("_control", execQueue=FutureQueue, FutureQueue=FutureQueue)
put("utils")
put("broker")
put("broker.structs", BrokerInfo=tuple)
sys.modules["scoop._types"].FutureQueue = FutureQueue
futures._startup = lambda function, *args, **kwargs: function(*args, **kwargs)
""",
    "tests_stat.py": "import unittest\nclass TestStat(unittest.TestCase): pass\n",
    "tests_stopwatch.py": "import unittest\nclass TestStopWatch(unittest.TestCase): pass\n",
}
# With SCOOP a call begins when its caller waits: it can be cancelled for sure until then.  Here the
# workers must have something else to do.
DRIVER = """
import pathlib, sys, time, unittest
from scoop import futures
import upstream

common = upstream.TestScoopCommon
common.setUp = common.tearDown = common.multiworker_set = lambda self: None

def hold(number):
    pathlib.Path(f"held{number}").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)

def cancel_where_all_are_busy(cancel=upstream.funcCancel):
    held = []
    for number in range(2):
        held.append(futures.submit(hold, number))
        while not pathlib.Path(f"held{number}").exists():
            time.sleep(0.01)
    try:
        return cancel()
    finally:
        pathlib.Path("go").touch()
        futures.wait(held)

upstream.funcCancel = cancel_where_all_are_busy

if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1], upstream)
    wanted = unittest.TestSuite()
    for test in suite:
        if "execQueue" not in test.id():  # how full SCOOP's own queues are
            wanted.addTest(test)
    done = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(wanted)
    sys.exit(not done.wasSuccessful())
"""
CASES = {
    "TestSingleFunction": 11,
    "TestMultiFunction": 11,
    "TestApi": 21,
    "TestCoherent": 3,
    "TestShared": 2,
}


@pytest.mark.parametrize("name", CASES)
def test_upstream_tests(distribution: Path, tmp_path: Path, nothing_left: None, name: str) -> None:
    shutil.copy(distribution / "test" / "tests.py", tmp_path / "upstream.py")
    for file, text in {**STAND_INS, "driver.py": DRIVER}.items():
        (tmp_path / file).write_text(text)
    done = call(tmp_path, "--scoop", "-q", "-n", "2", "driver.py", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Ran {CASES[name]} tests" in done.stdout
