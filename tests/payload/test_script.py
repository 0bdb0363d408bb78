"""The script is a module that root and workers share, except what its main guard hides."""

from __future__ import annotations

import pytest

from scoop_ft.main_guard import Bindings

from .conftest import Scripts

_NAME = "__name__"


@pytest.mark.parametrize(
    ("text", "guarded", "shared"),
    [
        ('x = 1\nif __name__ == "__main__":\n    y = 2\n', "y", "x"),
        ("if '__main__' == __name__:\n    def f(): z = 1\n", "f", ""),
        ('if __name__ == "__main__":\n    x = 1\nelse:\n    x = 2\n', "", ""),
        ('if __name__ != "__main__":\n    x = 1\nelse:\n    y = 2\n', "y", "x"),
        ('x = 1\nif __name__ == "__main__":\n    x = 2\n', "", ""),
        ('if __name__ == "__main__" and True:\n    x = 2\n', "x", ""),
        ('if __name__ == "other":\n    x = 2\n', "", "x"),
        ('if x > 1:\n    if __name__ == "__main__":\n        a = 1\n    b = 1\n', "a", "b"),
        ("def main():\n    global x\n    x = 1\nx = 0\n", "", "main"),
        (
            'if __name__ == "__main__":\n'
            "    import os.path, sys as system\n"
            "    from a import b as c\n"
            "    for i, (j, *k) in []:\n"
            "        with open(i) as file: pass\n"
            "    try: pass\n"
            "    except ValueError as e: pass\n"
            "    if (n := 3): pass\n"
            "    class C:\n        attribute = 1\n"
            "    async def g(): local = 1\n"
            "    [comp for comp in x]\n"
            "    lambda p: (q := p)\n"
            "    a.attribute = b['item'] = 1\n"
            "    match x:\n        case [m, *rest] if m: pass\n"
            "        case {'k': v, **others}: pass\n",
            "os system c i j k file e n C g m rest v others",
            "",
        ),
        ("def f(:\n", "", ""),
    ],
)
def test_names_that_the_main_guard_hides(text: str, guarded: str, shared: str) -> None:
    found = Bindings.of(text.encode())
    assert found.guarded - found.top == set(guarded.split())
    assert found.shared == set(shared.split())


DUMP = """
def keep(*blobs):
    import os, pickle
    with open(os.environ["BLOBS"], "wb") as file:
        pickle.dump(blobs, file)
"""


def test_root_sees_what_python_would_show(scripts: Scripts) -> None:
    scripts.write("value = 5\n", "beside.py")
    scripts.write(
        "'''Text.'''\n"
        "import sys, beside, __main__\n"
        "assert __main__.__dict__ is globals() and __name__ == '__main__'\n"
        "assert __spec__ is None and __doc__ == 'Text.' and __file__ == sys.argv[0]\n"
        "assert sys.modules['__mp_main__'] is __main__\n"
        "import os; assert sys.path[0] == os.path.dirname(__file__)\n"
        "print(sys.argv[1:], beside.value, __builtins__.len)\n"
    )
    assert scripts.root("a", "b") == "['a', 'b'] 5 <built-in function len>\n"


def test_functions_and_instances_of_the_script(scripts: Scripts) -> None:
    scripts.write(
        "print('imported as', __name__)\n" + DUMP + "class Point:\n"
        "    class Inner: pass\n"
        "    def __init__(self, x): self.x = x\n"
        "    def move(self, by): return Point(self.x + by)\n"
        "def double(x): return 2 * x\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.functions import dump_function\n    from scoop_ft.payload import *\n"
        "    def guarded(p): return double(p.x), isinstance(p, Point)\n"
        "    packer = Packer()\n"
        "    packer.add((Point(3), Point.Inner()), 'f')\n"
        "    functions = double, guarded, Point(1).move, lambda x: double(x) + 1, Point.move\n"
        "    keep(*(dump_function(f)[0] for f in functions), packer.take().payload)\n"
    )
    assert scripts.root() == "imported as __main__\n"
    printed = scripts.worker(
        "print('before')\n"
        "double, guarded, move, plus, unbound, points = map(payload.load, blobs)\n"
        "import __main__, __mp_main__\n"
        "assert __main__ is __mp_main__ and __main__.double is double\n"
        "assert type(points[0]) is __main__.Point and type(points[1]) is __main__.Point.Inner\n"
        "print(double(4), guarded(points[0]), move(2).x, plus(4), unbound(points[0], 1).x)\n"
        "assert functions.dump_function(double)[0] == blobs[0]\n"
        "packer = payload.Packer(); packer.add(points, 'f')\n"
        "assert packer.take().payload == blobs[5]\n"
        "print(functions.dump_function(double)[1])\n"
    )
    assert printed == "before\nimported as __mp_main__\n8 (6, True) 3 9 4\nprogram.double\n"


def test_worker_made_objects_arrive_in_the_root(scripts: Scripts) -> None:
    scripts.write(
        "import os, pickle\n"
        "class Point: pass\n"
        "def make():\n"
        "    class Local(Point): pass\n"
        "    return Point(), Local(), Point, lambda: Point\n"
        "if __name__ == '__main__' and os.path.exists(os.environ['BLOBS'] + '2'):\n"
        "    from scoop_ft.payload import load\n"
        "    with open(os.environ['BLOBS'] + '2', 'rb') as file: found = load(file.read())\n"
        "    assert type(found[0]) is Point is found[2] is found[3]()\n"
        "    assert isinstance(found[1], Point)\n"
        "    print('arrived')\n"
        "elif __name__ == '__main__':\n"
        "    from scoop_ft.functions import dump_function\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump([dump_function(make)[0]], file)\n"
    )
    scripts.root()
    scripts.worker(
        "packer = payload.Packer(); packer.add(payload.load(blobs[0])(), 'make')\n"
        f"open({str(scripts.blobs) + '2'!r}, 'wb').write(packer.take().payload)\n"
    )
    assert scripts.root() == "arrived\n"


def test_things_made_in_other_modules_by_the_script(scripts: Scripts) -> None:
    scripts.write("", "creator.py")
    scripts.write(
        "import creator\n"
        "creator.Made = type('Made', (list,), {'__module__': 'creator'})\n"
        + DUMP
        + "if __name__ == '__main__':\n"
        "    from scoop_ft.payload import Packer\n"
        "    packer = Packer(); packer.add(creator.Made([1, 2]), 'f')\n"
        "    keep(packer.take().payload)\n"
    )
    scripts.root()
    printed = scripts.worker("found = payload.load(blobs[0]); print(type(found).__name__, found)")
    assert printed == "Made [1, 2]\n"


CALLER = "def f(): pass\n" + DUMP


def _keep_f(scripts: Scripts, then: str) -> None:
    scripts.write(
        CALLER
        + "if __name__ == '__main__':\n"
        + "    from scoop_ft.functions import dump_function\n"
        + "    keep(dump_function(f)[0])\n"
        + then
    )
    scripts.root()


def test_missing_guard_is_told_in_one_line(scripts: Scripts) -> None:
    _keep_f(
        scripts,
        "from scoop_ft import script\n"  # what `futures` does when something is submitted
        "script.refuse_while_importing()\n",
    )
    printed = scripts.worker(
        "for attempt in range(2):\n"
        "    try: payload.load(blobs[0])\n"
        "    except errors.MissingMainGuard as error: print(error)\n"
        "assert not script.importing_main\n"
    )
    line = (
        "program.py uses futures outside of 'if __name__ == \"__main__\":' — put the calls under "
        "that line, since each worker imports the script\n"
    )
    assert printed == 2 * line


@pytest.mark.parametrize("failing", ["1 / 0", "raise SystemExit(3)", "import no_such_module"])
def test_failing_import_is_told_and_not_repeated(scripts: Scripts, failing: str) -> None:
    _keep_f(scripts, f"else:\n    print('once')\n    {failing}\n")
    printed = scripts.worker(
        "for attempt in range(2):\n"
        "    try: payload.load(blobs[0])\n"
        "    except errors.ScriptImportError as error: print(error)\n"
    )
    assert printed.count("once") == 1
    assert printed.count("program.py failed when a worker imported it:") == 2
    assert printed.count(failing) == 2
    assert "scoop_ft" not in printed


def test_script_that_was_edited(scripts: Scripts) -> None:
    _keep_f(scripts, "")
    scripts.write("def g(): pass\n")
    printed = scripts.worker(
        "try: payload.load(blobs[0])\nexcept errors.ScriptImportError as error: print(error)\n"
    )
    assert "no 'f'" in printed


def test_tools_that_look_at_main_do_not_import_it(scripts: Scripts) -> None:
    _keep_f(scripts, "")
    scripts.write("print('imported')\n")
    printed = scripts.worker(
        "import __main__, inspect\n"
        "getattr(__main__, '__spec__', 1), getattr(__main__, '__path__', 1), __main__.__file__\n"
        "assert inspect.getmodule(payload.load) is not None\n"
    )
    assert printed == ""
