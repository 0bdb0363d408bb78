"""The shared generators: seeded, saved and put back, numpy's also when it is imported later."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from scoop_ft import global_random
from scoop_ft.ids import ROOT_LINEAGE, lineage
from scoop_ft.randomness import GLOBALS, number
from scoop_ft.worker.seeding import Seeding


@pytest.fixture(autouse=True)
def as_found() -> Iterator[None]:
    """The generators are left as they were."""
    before = global_random.state()
    yield
    global_random.restore(before)


def in_new_process(code: str) -> str:
    """Run code that begins without numpy; return what it prints."""
    prologue = "import random, sys\nfrom scoop_ft import global_random\n"
    done = subprocess.run([sys.executable, "-c", prologue + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_it_is_as_if_the_script_had_seeded_them(seed: int) -> None:
    global_random.seed(seed)
    found = random.random(), np.random.random()
    random.seed(seed)
    np.random.seed(seed)
    assert found == (random.random(), np.random.random())


@pytest.mark.parametrize("seed", [2**32, 2**63 - 1, number(7, ROOT_LINEAGE, GLOBALS)])
def test_numpy_takes_large_seeds_too(seed: int) -> None:
    global_random.seed(seed)
    first = np.random.random()
    global_random.seed(seed ^ 1 << 31)
    assert np.random.random() != first


def draw() -> list[float]:
    return [random.gauss(0, 1), float(np.random.standard_normal())]  # each keeps a second one back


def test_what_was_saved_comes_back() -> None:
    draw()
    saved = global_random.state()
    expected = draw() + draw()
    global_random.restore(saved)
    assert draw() + draw() == expected


def test_another_generator_under_numpys_functions_is_saved_too() -> None:
    before = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(5))
        saved = global_random.state()
        expected = np.random.random()
        global_random.restore(saved)
        assert np.random.random() == expected
    finally:
        np.random.set_bit_generator(before)


def test_numpy_is_seeded_when_the_script_imports_it() -> None:
    out = in_new_process(
        "global_random.seed(7); global_random.follow_numpy()\n"
        "assert 'numpy' not in sys.modules\n"
        "import numpy as np\n"
        "loader = np.random.__spec__.loader\n"
        "print(np.random.random(), type(loader).__name__, 'exec_module' in vars(loader))\n"
        "print([type(each).__name__ for each in sys.meta_path if 'Watcher' in str(type(each))])\n"
    )
    np.random.seed(7)
    assert out == f"{np.random.random()} SourceFileLoader False\n[]\n"


def test_what_the_script_seeds_itself_stands() -> None:
    out = in_new_process(
        "global_random.seed(7); global_random.follow_numpy()\n"
        "import numpy as np\n"
        "np.random.seed(1); random.seed(2)\n"
        "import numpy.random, numpy.linalg\n"
        "print(np.random.random(), random.random())\n"
    )
    np.random.seed(1)
    random.seed(2)
    assert out == f"{np.random.random()} {random.random()}\n"


def test_numpy_that_was_there_before_is_seeded_at_once() -> None:
    out = in_new_process(
        "import numpy as np\n"
        "before = len(sys.meta_path)\n"
        "global_random.seed(7); global_random.follow_numpy()\n"
        "print(np.random.random(), len(sys.meta_path) - before)\n"
    )
    np.random.seed(7)
    assert out == f"{np.random.random()} 0\n"


def test_a_numpy_that_cannot_be_imported_says_so_as_ever() -> None:
    out = in_new_process(
        "global_random.seed(7); global_random.follow_numpy()\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "try:\n    import numpy\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    assert out == "No module named 'numpy'\n"


# ---- for each task ------------------------------------------------------------------------------


def place(n: int) -> bytes:
    return lineage(ROOT_LINEAGE, n)


def test_a_task_finds_them_seeded_for_its_place() -> None:
    seeding = Seeding()
    seeding.take("a")
    seeding.begin(7, place(0))
    first = draw()
    seeding.begin(7, place(1))
    assert draw() != first
    seeding.begin(7, place(0))
    assert draw() == first


def test_a_task_that_waits_goes_on_where_it_was() -> None:
    seeding = Seeding()
    seeding.take("a")
    seeding.begin(7, place(0))
    expected = draw() + draw() + draw()

    seeding.begin(7, place(0))
    found = draw()
    seeding.take("b")  # while "a" waits
    seeding.begin(7, place(1))
    others = draw()
    seeding.take("a")  # while "b" waits
    found += draw()
    seeding.take("b")
    assert draw() != others
    seeding.give_up("b")
    seeding.take("a")
    assert found + draw() == expected


def test_nothing_is_put_back_that_nobody_has_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seeding = Seeding()
    seeding.take("a")
    seeding.begin(7, place(0))
    draw()
    monkeypatch.delattr(global_random, "restore")
    monkeypatch.delattr(global_random, "state")
    seeding.take("a")  # it had waited, and nobody ran meanwhile
    seeding.give_up("a")
    seeding.take("b")  # "a" has ended: nobody wants its numbers


def test_numpy_imported_by_a_task_that_waited_is_seeded_for_that_task() -> None:
    out = in_new_process(
        "from scoop_ft.worker.seeding import Seeding\n"
        "seeding = Seeding()\n"
        "seeding.take('a'); seeding.begin(7, bytes(16))\n"
        "seeding.take('b'); seeding.begin(7, bytes(15) + b'b')\n"
        "seeding.take('a')\n"
        "import numpy as np; first = np.random.random()\n"
        "seeding.take('b'); second = np.random.random()\n"
        "print([first, second])\n"
    )
    expected = []
    for each in (bytes(16), bytes(15) + b"b"):
        global_random.seed(number(7, each, GLOBALS))
        expected.append(np.random.random())
    assert out == f"{expected}\n"
