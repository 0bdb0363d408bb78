"""What a function's digest covers, and that it is the same in every process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import pytest

from .conftest import Scripts

PROGRAM = '''\
"""A program."""
import abc, dataclasses, enum, functools, random, sys
import helpers, package.inner
from helpers import shared_table as table
from package import inner as renamed

RATE = 2
PAIR = (1, "a", frozenset({"x", "y"}))
SETTINGS = {"dt": 0.1}
SETTINGS["end"] = 5
ITEMS = [RATE]
COUNTER = 0

def plain(x, y=1, *, z=2):
    return helper(x) + y + z

def helper(x):
    return x + 1

def uses_constants():
    return RATE, PAIR

def uses_settings():
    return SETTINGS["dt"], ITEMS

def uses_module(x):
    return helpers.scale(x) + package.inner.deep(x) + renamed.offset

def uses_imported():
    return table

def imports_late():
    import late
    return late.value()

def counts():
    global COUNTER
    COUNTER += 1
    return COUNTER

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

def decorated(factor):
    def make(func):
        @functools.wraps(func)
        def wrapper(*args):
            return factor * func(*args)
        return wrapper
    return make

@decorated(3)
def wrapped(x):
    return x

@functools.lru_cache(maxsize=None)
def cached(x):
    return helper(x)

class Base:
    unit = 7
    def step(self):
        return self.unit

class Model(Base):
    limits = [1, 2]
    def __init__(self, size=3):
        self.size = size
    def run(self):
        return helper(self.size)
    @property
    def twice(self):
        return 2 * self.size
    @staticmethod
    def fixed():
        return 4
    def __call__(self, x):
        return x

class Color(enum.Enum):
    RED = 1
    BLUE = 2

@dataclasses.dataclass
class Config:
    steps: int = 10
    tags: list = dataclasses.field(default_factory=list)

def uses_model():
    return Model().run()

def uses_color():
    return Color.RED

def uses_config():
    return Config()

PLANNED = Model(5)

def uses_object():
    return PLANNED.run()

def third_party():
    return functools.reduce(lambda a, b: a + b, random.sample([1], 1))

partial = functools.partial(plain, 1, z=3)
by_value = lambda x, y=[1]: (helper(x), y)

if __name__ == "__main__":
    RATE_OF_ROOT = 1
'''
HELPERS = """\
FACTOR = 10
shared_table = {"a": FACTOR}
def scale(x):
    return inside(x)
def inside(x):
    return FACTOR * x
def unrelated(x):
    return x
"""
LATE = "import later\ndef value():\n    return later.number\n"
FILES = {
    "program.py": PROGRAM,
    "helpers.py": HELPERS,
    "late.py": LATE,
    "later.py": "number = 1\n",
    "package/__init__.py": "",
    "package/inner.py": "offset = 1\ndef deep(x):\n    return x\n",
}

# Prints the digests that a process finds for all that the program defines.
DIGESTS = """
import json
from scoop_ft import script
from scoop_ft.code import digest
if {worker}:
    script.load_for_worker()
found = vars(script.module())
values = {{name: value for name, value in found.items()
          if callable(value) and getattr(value, "__module__", None) in ("__main__", "__mp_main__")
          or name == "partial"}}
values["bound"] = found["Model"]().run
values["instance"] = found["Model"]()
if "decorated" in found:
    values["closure"] = found["decorated"](2)
print(json.dumps({{name: digest.meaning(value).code.hex() for name, value in values.items()}}))
"""


def digests(scripts: Scripts, changes: Mapping[str, tuple[str, str]] = {}) -> dict[str, str]:
    """Return the digests after some edits, by the name of what they are of."""
    (scripts.folder / "package").mkdir(exist_ok=True)
    for name, text in FILES.items():
        old, new = changes.get(name, ("", ""))
        assert old in text
        scripts.write(text.replace(old, new) if old else text, name)
    found: dict[str, str] = json.loads(scripts.worker(DIGESTS.format(worker=True)))
    return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return digests(prepared(tmp_path_factory))


def prepared(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    scripts = Scripts(tmp_path_factory.mktemp("digests"))
    scripts.blobs.write_bytes(b"\x80\x05].")  # an empty list: nothing is handed over
    return scripts


def changed(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, str], name: str, old: str, new: str
) -> set[str]:
    after = digests(prepared(tmp_path_factory), {name: (old, new)})
    assert after.keys() == before.keys()
    return {key for key in before if before[key] != after[key]}


MODELS = {"Model", "PLANNED", "uses_model", "uses_object", "bound", "instance"}

EDITS = [
    ("program.py", "return helper(x) + y + z", "return helper(x) + y - z", {"plain", "partial"}),
    ("program.py", "y=1, *", "y=2, *", {"plain", "partial"}),
    ("program.py", "z=2)", "z=3)", {"plain", "partial"}),
    ("program.py", "z=3)", "z=4)", {"partial"}),
    ("program.py", "return x + 1", "return x + 2",
     {"helper", "plain", "partial", "cached", "by_value", *MODELS}),
    ("program.py", "RATE = 2", "RATE = 3", {"uses_constants", "uses_settings"}),
    ("program.py", '"x", "y"', '"x", "z"', {"uses_constants"}),
    ("program.py", '"dt": 0.1', '"dt": 0.2', {"uses_settings"}),
    ("program.py", '["end"] = 5', '["end"] = 6', {"uses_settings"}),
    ("program.py", "= [RATE]", "= [RATE, 1]", {"uses_settings"}),
    ("helpers.py", "FACTOR * x", "FACTOR + x", {"uses_module"}),
    ("helpers.py", "FACTOR = 10", "FACTOR = 11", {"uses_module", "uses_imported"}),
    ("helpers.py", '{"a"', '{"b"', {"uses_imported"}),
    ("package/inner.py", "return x", "return -x", {"uses_module"}),
    ("package/inner.py", "offset = 1", "offset = 2", {"uses_module"}),
    ("late.py", "later.number", "later.number + 1", {"imports_late"}),
    ("later.py", "1", "2", {"imports_late"}),
    ("program.py", "n == 0 or", "n == 1 or", {"even", "odd"}),
    ("program.py", "return factor *", "return factor +", {"decorated", "wrapped", "closure"}),
    ("program.py", "@decorated(3)", "@decorated(4)", {"wrapped"}),
    ("program.py", "unit = 7", "unit = 8", {"Base", *MODELS}),
    ("program.py", "size=3", "size=4", MODELS),
    ("program.py", "limits = [1, 2]", "limits = [1, 3]", MODELS),
    ("program.py", "return 2 * self", "return 3 * self", MODELS),
    ("program.py", "return 4", "return 5", MODELS),
    ("program.py", "Model(5)", "Model(6)", {"uses_object"}),
    ("program.py", "RED = 1", "RED = 3", {"Color", "uses_color"}),
    ("program.py", "steps: int = 10", "steps: int = 11", {"Config", "uses_config"}),
    ("program.py", "default_factory=list", "default_factory=set", {"Config", "uses_config"}),
    # nothing that any function means
    ("program.py", '"""A program."""', "# Many\n\n# more lines.\n", set()),
    ("program.py", "def helper(x):", "def helper(x: int) -> int:\n    'Text.'", set()),
    ("program.py", "steps: int", "steps: float", set()),
    ("program.py", "RATE_OF_ROOT = 1", "RATE = RATE_OF_ROOT = 1",
     {"uses_constants", "uses_settings"}),
    ("program.py", "COUNTER = 0", "COUNTER = 5", set()),
    ("helpers.py", "    return x\n", "    return -x\n", set()),
]  # fmt: skip


# What was recorded before defaults that may change counted by their source; these have none.
KEPT = (
    "plain", "uses_constants", "uses_settings", "uses_module", "wrapped", "cached",
    "Model", "uses_config", "partial", "bound", "closure", "by_value",
)  # fmt: skip
RECORDED = {
    (3, 10): (
        "0c343608 69d75137 ff538094 ff04de04 e50a29e4 7dc00817 "
        "d07879e7 fa9a8d47 225acfda 2500a4b9 36a7c46a fc907b88"
    ),
    (3, 11): (
        "4c16e0e7 69d75137 ff538094 9c37189a 7b711105 19ce47b4 "
        "804fb802 6f7ce650 6d3b36bd 8bc2d92b a97f4ab2 4807a12c"
    ),
    (3, 12): (
        "0f658940 69d75137 ff538094 39690d96 7b711105 cf4bff34 "
        "96fa44a5 2a23255b c7be5b9a ce725ef6 68162638 89348bb7"
    ),
    (3, 13): (
        "bd49d442 69d75137 ff538094 57f4083b 9cb25e12 8f3a54f3 "
        "e1ec52de 02108ecc 58ae7f54 46c05f53 1e753d55 f08d6bd3"
    ),
}


@pytest.mark.skipif(sys.version_info[:2] not in RECORDED, reason="compiled in another way")
def test_what_earlier_versions_have_recorded_is_still_known(before: dict[str, str]) -> None:
    recorded = dict(zip(KEPT, RECORDED[sys.version_info[:2]].split(), strict=True))
    assert {name: before[name][:8] for name in KEPT} == recorded


@pytest.mark.parametrize(("name", "old", "new", "expected"), EDITS)
def test_what_an_edit_changes(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, str],
    name: str, old: str, new: str, expected: set[str],
) -> None:  # fmt: skip
    assert changed(tmp_path_factory, before, name, old, new) == expected


def test_the_same_in_root_and_workers(scripts: Scripts, before: dict[str, str]) -> None:
    digests(scripts_with_blobs := prepared_in(scripts))
    text = (
        (scripts.folder / "program.py").read_text()
        + "    "
        + DIGESTS.format(worker=False).strip().replace("\n", "\n    ")
    )
    scripts.write(text)
    assert json.loads(scripts_with_blobs.root()) == before


def prepared_in(scripts: Scripts) -> Scripts:
    scripts.blobs.write_bytes(b"\x80\x05].")
    return scripts


def test_a_module_that_is_loaded_anew(scripts: Scripts) -> None:
    """Its source is read anew, too."""
    scripts.write("")
    work = """
import importlib, sys
from scoop_ft.code.digest import meaning
sys.dont_write_bytecode = True
def loaded(table="{}", default="[]", late="0"):
    with open("late.py", "w") as file:
        file.write(f"number = {late}")
    with open("loaded.py", "w") as file:
        file.write(f"table = {table}\\ndef f(x, a={default}):\\n import late\\n return table")
    for name in ("late", "loaded"):
        importlib.invalidate_caches()
        again = name in sys.modules
        module = importlib.import_module(name)
        module = importlib.reload(module) if again else module
    return meaning(module.f).code
found = [loaded(), loaded(table="{1: 1}"), loaded(default="[1]"), loaded(late="1"), loaded()]
print(len(set(found)), found[0] == found[-1])
"""
    assert prepared_in(scripts).worker(work) == "4 True\n"


def test_by_value_it_does_not_matter_where_it_stands(scripts: Scripts) -> None:
    text = (
        "import hashlib\n"
        "def make(n):\n"
        "{blank}"
        "    class Local:\n"
        "        '''{doc}'''\n"
        "        def method(self): return n{more}\n"
        "    return lambda x{note}: (Local().method(),{brk} x + n{more})\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.functions import dump_function, identity\n"
        "    func = make(3)\n"
        "    blob, name = dump_function(func)\n"
        "    print(hashlib.sha256(identity(func, blob)).hexdigest())\n"
    )

    def known_as(**edits: str) -> str:
        scripts.write(text.format(**{**dict.fromkeys(("blank", "doc", "more", "note", "brk"), ""),
                                     **edits}))  # fmt: skip
        return scripts.root()

    first = known_as()
    assert known_as(blank="\n    # here\n\n") == first
    assert known_as(doc="Text.") == first
    assert known_as(brk="\n\n   ") == first
    assert known_as(more=" + 1") != first


def test_one_with_a_cache_that_goes_by_value_means_what_its_code_does(scripts: Scripts) -> None:
    """As any closure does: what it has captured is no edit, and its code without a name is one."""
    text = (
        "import functools, sys\n"
        "def make(n):\n"
        "    @functools.lru_cache(None)\n"
        "    def inner(x): return x {op} n\n"
        "    return inner\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.code.digest import is_rewritten, meaning\n"
        "    from scoop_ft.functions import dump_function, load_function\n"
        "    path = sys.argv[1]\n"
        "    if sys.argv[2] == 'dump':\n"
        "        open(path, 'wb').write(dump_function(make(1))[0])\n"
        "    loaded = load_function(open(path, 'rb').read())\n"
        "    print(meaning(make(1)).code == meaning(make(2)).code, is_rewritten(loaded))\n"
    )
    scripts.write(text.format(op="*"))
    assert scripts.root("inner", "dump") == "True False\n"
    scripts.write(text.format(op="+"))
    assert scripts.root("inner", "look") == "True True\n"
