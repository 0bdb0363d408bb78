"""Code that is edited between programs, or while one runs: nobody gets what is stale."""

from __future__ import annotations

import pytest

from . import calls
from .conftest import Program
from .test_joining import EDITED, served, serving

__all__ = ["served"]

LAZY = """
def times(x):
    import factors
    open(f"ran-{x}", "a").write("x")
    return factors.FACTOR * x
"""


def test_nor_to_one_that_has_edited_what_only_a_function_imports(
    program: Program, served: object
) -> None:
    program.write(EDITED)
    program.write(LAZY, "helper.py")
    for factor in (2, 2, 3, 3):
        program.write(f"FACTOR = {factor}\n", "factors.py")
        out, err, code = program.run()
        assert (out, code) == (f"{[factor * x for x in range(3)]}\n", 0), err
    assert [calls.noted(program.folder, x) for x in range(3)] == [2] * 3, "each version once"


OWN = EDITED.replace('address="run"', 'run_dir="run"')


def test_a_run_that_was_served_meanwhile_asks_about_edits_as_before(program: Program) -> None:
    program.write(OWN)
    program.write("def times(x):\n    return 2 * x\n", "helper.py")
    assert program.run()[0] == "[0, 2, 4]\n"
    with serving(program):
        pass
    program.write("def times(x):\n    return 3 * x\n", "helper.py")
    out, err, code = program.run()
    assert code, out
    assert 'edited="redo"' in err


def test_what_cannot_be_imported_is_told_in_an_executors_words(program: Program) -> None:
    program.write(OWN)
    program.write("def times(x):\n    return 2 * x\n", "helper.py")
    assert program.run()[0] == "[0, 2, 4]\n"
    program.write("def times(x):\n    return 2 * x\n\nassert times(1) == 3\n", "helper.py")
    program.write(OWN.replace("import helper", "import helper as helper, types"))
    out, err, code = program.run()
    assert code, out
    assert "--recorded-code" not in err


RELOADS = """
import importlib, os, sys
from scoop_ft import Executor
import helper, user

def write(factor):
    with open("helper.py", "w") as file:
        file.write(f"def times(x):\\n    return {factor} * x\\n")
    os.utime("helper.py", (factor, factor))  # or a copy in __pycache__ counts

def fresh():
    importlib.invalidate_caches()
    return importlib.import_module("helper")

with Executor(OPENED) as executor:
    for factor in (2, 3):
        write(factor)
        importlib.reload(helper)
        print(executor.submit(helper.times, 5).result(), executor.submit(user.use, 7).result())
"""
USES = "import helper\n\ndef use(x):\n    return helper.times(x)\n"


@pytest.mark.parametrize(
    "anew",
    ["importlib.reload(helper)", "del sys.modules['helper']; user.helper = helper = fresh()"],
    ids=["reloaded", "imported again"],
)
def test_a_module_that_is_loaded_anew_is_told_to_the_workers(program: Program, anew: str) -> None:
    program.write(RELOADS.replace("OPENED", "2").replace("importlib.reload(helper)", anew))
    program.write("def times(x):\n    return 1 * x\n", "helper.py")
    program.write(USES, "user.py")
    out, err, _ = program.run()
    assert out == "10 14\n15 21\n", err
    said = [line.partition(")")[2] for line in err.splitlines()]
    assert set(said) <= {" is started again: the code has changed"}, err  # if still there to say it


AUTORELOADS = """
import sys, types
from scoop_ft import Executor
import helper, user

REAL = WITH_IPYTHON
if REAL:
    from IPython.core.interactiveshell import InteractiveShell
    cell = InteractiveShell.instance().run_cell
    cell("%load_ext autoreload")
    cell("%autoreload 2")
else:
    sys.modules["IPython.extensions.autoreload"] = types.ModuleType("autoreload")

def edit(text):
    with open("helper.py", "w") as file:
        file.write(text)

def put_in(text):
    if REAL:
        cell("pass")
    else:  # what autoreload does, as long as only functions, classes and constants were edited
        new = {}
        exec(text, helper.__dict__, new)
        helper.times.__code__ = new.pop("times").__code__
        helper.__dict__.update(new)

with Executor(2) as executor:
    ask = lambda: (executor.submit(helper.times, 5).result(), executor.submit(user.use, 7).result())
    print(*ask())
    text = "def times(x):\\n    return 30 * x\\n"
    edit(text)
    print(*ask())
    put_in(text)
    print(*ask())
    text = "FACTOR = 400\\ndef times(x):\\n    return FACTOR * x\\n"
    text += "class Few:\\n    def of(self, x):\\n        return -x\\n"
    edit(text)
    put_in(text)
    print(*ask(), executor.submit(helper.Few().of, 3).result())
"""


@pytest.mark.parametrize("real", [False, True], ids=["in its way", "by itself"])
def test_what_autoreload_has_put_into_a_module_is_told_to_the_workers(
    program: Program, real: bool
) -> None:
    """But not what was edited and is not in the module yet."""
    if real:
        pytest.importorskip("IPython", "8.28")
    program.write(AUTORELOADS.replace("WITH_IPYTHON", str(real)))
    program.write("def times(x):\n    return 2 * x\n", "helper.py")
    program.write(USES, "user.py")
    out, err, _ = program.run()
    assert out == "10 14\n10 14\n150 210\n2000 2800 -3\n", err


REJOINS = """
import importlib, os
from scoop_ft import Executor
import helper, user

for factor in (2, 3):
    with open("helper.py", "w") as file:
        file.write(TEXT.replace("FACTOR", str(factor)))
    os.utime("helper.py", (factor, factor))
    importlib.reload(helper)
    with Executor(address="run") as executor:
        print(executor.submit(helper.times, 5).result(), executor.submit(user.use, 7).result())
"""


@pytest.mark.parametrize(
    "text",
    [
        "def times(x):\n    return FACTOR * x\n",
        "HAS = {}\nHAS['factor'] = FACTOR\ndef times(x):\n    return HAS['factor'] * x\n",
        "def times(x, has=[FACTOR]):\n    return has[0] * x\n",
    ],
    ids=["code", "value", "default"],
)
def test_a_program_that_joins_twice_brings_what_it_has_loaded_anew(
    program: Program, served: object, text: str
) -> None:
    program.write(f"TEXT = {text!r}\n{REJOINS}")
    program.write("def times(x):\n    return 1 * x\n", "helper.py")
    program.write(USES, "user.py")
    out, err, _ = program.run()
    assert out == "10 14\n15 21\n", err


def test_a_run_with_a_script_that_was_served_is_resumed_with_the_files(program: Program) -> None:
    program.write(
        "from scoop_ft import futures\nimport helper\n"
        "if __name__ == '__main__':\n    print(list(futures.map(helper.times, [5])))\n"
        "    raise SystemExit(3)\n"
    )
    program.write("def times(x):\n    return 2 * x\n", "helper.py")
    words = ["-m", "scoop_ft"]
    assert program.run(*words, "run", "-q", "-n", "1", "--run-dir", "run", "program.py")[2] == 3
    with serving(program):
        pass
    program.write("def times(x):\n    return 3 * x\n", "helper.py")
    _, err, code = program.run(*words, "resume", "-q", "run")
    assert code, "it is asked about"
    assert "helper.times was edited (1 result)" in err


CONSTANT = """
import sys
from scoop_ft import Executor, shared
import helper

with Executor(address="run") as executor:
    executor.submit(abs, 1).result()
    shared.set_const(factor=int(sys.argv[1]))
    print([executor.submit(helper.times, x).result() for x in range(3)])
"""
READS = """
from scoop_ft import shared

def times(x):
    return shared.get_const("factor") * x
"""


def test_a_program_that_joins_with_another_constant_gets_nothing_stale(
    program: Program, served: object
) -> None:
    program.write(CONSTANT)
    program.write(READS, "helper.py")
    for factor in (2, 3):
        out, err, code = program.run("program.py", str(factor))
        assert (out, code) == (f"{[factor * x for x in range(3)]}\n", 0), err
