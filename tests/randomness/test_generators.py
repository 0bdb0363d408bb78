"""Which numbers who gets, without a run: all of it in this process, or one started for the test."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import scoop_ft
from scoop_ft import futures, global_random, randomness
from scoop_ft.client import serial
from scoop_ft.ids import ROOT_LINEAGE, lineage


@pytest.fixture(autouse=True)
def as_in_a_new_process() -> Iterator[None]:
    """Nobody has asked for numbers or submitted a call; the global generators are left as found."""
    before = global_random.state()
    root = serial.place()
    root.next, root.generators = 0, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that it runs serially
        yield
    global_random.restore(before)


def draw(_: int = 0) -> tuple[float, float]:
    return scoop_ft.rng().random(), float(scoop_ft.numpy_rng().random())


# ---- numbers ------------------------------------------------------------------------------------


def test_the_numbers_are_those_that_they_have_always_been() -> None:
    """Journals and papers rest on them."""
    assert randomness.number(7, ROOT_LINEAGE, randomness.PYTHON) == int(
        "9be3e239080cecd3f7360ba702a72ea5a518db9ec0d4c1759b2ce593d4985eaf", 16
    )
    child = randomness.Generators(7, lineage(ROOT_LINEAGE, 3))
    assert child.make_python().random() == 0.5064369811805552
    assert child.make_numpy().random() == 0.4616890290431521


def test_seed_place_and_purpose_each_make_others() -> None:
    numbers = {
        randomness.number(seed, place, purpose)
        for seed in (0, 1, 2**63 - 1)
        for place in (ROOT_LINEAGE, lineage(ROOT_LINEAGE, 0), lineage(ROOT_LINEAGE, 1))
        for purpose in (randomness.PYTHON, randomness.NUMPY, randomness.GLOBALS)
    }
    assert len(numbers) == 27


def test_a_million_siblings_all_start_elsewhere() -> None:
    seen = {
        randomness.number(7, lineage(ROOT_LINEAGE, n), randomness.GLOBALS) for n in range(100_000)
    }
    assert len(seen) == 100_000


# ---- who asks -----------------------------------------------------------------------------------


def test_who_asks_again_gets_the_same_generator() -> None:
    def twice() -> bool:
        return scoop_ft.rng() is scoop_ft.rng() and scoop_ft.numpy_rng() is scoop_ft.numpy_rng()

    assert twice()
    assert futures.submit(twice).result()


def test_each_call_has_the_numbers_of_its_place() -> None:
    found = [*futures.map(draw, range(3)), futures.submit(draw).result()]
    expected = []
    for ordinal in range(4):
        made = randomness.Generators(randomness.SERIAL_SEED, lineage(ROOT_LINEAGE, ordinal))
        expected.append((made.make_python().random(), made.make_numpy().random()))
    assert found == expected


def test_calls_have_their_places_when_they_are_submitted_not_when_they_run() -> None:
    late = futures.map(draw, range(2))
    early = list(futures.map(draw, range(2)))
    serial.place().next = 2
    assert early == list(futures.map(draw, range(2)))
    serial.place().next = 0
    assert list(late) == list(futures.map(draw, range(2)))


def test_a_nested_call_has_its_own_and_leaves_its_parents_alone() -> None:
    def parent() -> tuple[float, float, float]:
        return scoop_ft.rng().random(), futures.submit(draw).result()[0], scoop_ft.rng().random()

    before, inner, after = futures.submit(parent).result()
    own = randomness.Generators(0, lineage(ROOT_LINEAGE, 0)).make_python()
    child = randomness.Generators(0, lineage(lineage(ROOT_LINEAGE, 0), 0)).make_python()
    assert (before, inner, after) == (own.random(), child.random(), own.random())


def test_global_generators_are_not_touched() -> None:
    before = global_random.state()
    futures.submit(draw).result()
    draw()
    after = global_random.state()
    assert after.python == before.python
    assert after.numpy == before.numpy


def test_without_numpy_nobody_imports_it() -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "import scoop_ft; from scoop_ft import futures, randomness\n"
        "futures.submit(lambda: scoop_ft.rng().random()).result(); randomness.capture()\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---- checkpoints --------------------------------------------------------------------------------


def some() -> list[Any]:
    """Draw from everything the script has."""
    return [
        scoop_ft.rng().random(),
        scoop_ft.numpy_rng().standard_normal(3).tolist(),
        random.gauss(0, 1),
        np.random.standard_normal(3).tolist(),
    ]


def test_a_script_goes_on_where_it_was_captured() -> None:
    some()
    saved = pickle.dumps(randomness.capture())
    assert len(saved) < 8_192
    expected = some()
    assert some() != expected
    randomness.restore(pickle.loads(saved))
    assert some() == expected


def test_another_process_goes_on_too() -> None:
    """Its generators have not been made, and numpy is imported only after."""
    some()
    saved = pickle.dumps(randomness.capture())
    code = (
        "import pickle, random, sys, scoop_ft\n"
        "from scoop_ft import global_random, randomness\n"
        "global_random.seed(1); global_random.follow_numpy()\n"
        f"state = pickle.loads({saved!r}); state = state[0], None, state[2]\n"
        "randomness.restore(state)\n"
        "assert 'numpy' not in sys.modules\n"
        "import numpy as np\n"
        "own = scoop_ft.rng().random()\n"
        "print([own, random.gauss(0, 1), np.random.standard_normal(3).tolist()])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = some()
    assert done.stdout == f"{[found[0], *found[2:]]}\n"


def test_generators_that_somebody_holds_are_the_ones_put_back() -> None:
    held = scoop_ft.rng()
    saved = randomness.capture()
    expected = held.random()
    randomness.restore(saved)
    assert held.random() == expected
    assert scoop_ft.rng() is held


def test_a_task_captures_its_own_only() -> None:
    """The global generators are everybody's, where they are not seeded for each task."""

    def task() -> bool:
        first = scoop_ft.rng().random()
        saved = randomness.capture()
        expected = scoop_ft.rng().random()
        shared = random.random()
        randomness.restore(saved)
        return first != expected == scoop_ft.rng().random() and random.random() != shared

    assert futures.submit(task).result()


def test_what_was_not_asked_for_is_not_made() -> None:
    saved = randomness.Captured(*randomness.capture())
    assert (saved.python, saved.numpy) == (None, None)


# ---- durable steps ------------------------------------------------------------------------------


def test_a_durable_step_changes_no_number_that_comes_after_it() -> None:
    """For run again, the parent does not make it."""

    def without() -> list[Any]:
        return [*draw(), *draw()]

    def with_steps() -> list[Any]:
        held = scoop_ft.rng()
        found = [*draw()]
        first, second = futures.once(draw), futures.once(held.random)
        assert len({*first, second, *found}) == 5
        return [*found, *draw()]

    serial.place().next = 0
    expected = futures.submit(without).result()
    serial.place().next = 0
    assert futures.submit(with_steps).result() == expected


def test_a_durable_step_before_all_else_leaves_nothing_behind() -> None:
    first = futures.once(draw)
    assert draw() not in (first, (0, 0))
    made = randomness.Generators(randomness.SERIAL_SEED, ROOT_LINEAGE)
    made.make_python().random()
    assert scoop_ft.rng().random() == made.make_python().random()


def test_two_durable_steps_draw_other_numbers() -> None:
    assert len({*futures.once(draw), *futures.once(draw)}) == 4
