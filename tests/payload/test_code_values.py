"""What a digest covers of values that may change while a program runs, and of what holds functions.

Of such values the source counts, not what they are at the moment.
"""

from __future__ import annotations

import json

import pytest

from .conftest import Scripts
from .test_code_digest import DIGESTS, prepared, prepared_in

PROGRAM = '''\
"""A program."""
import dataclasses, enum, functools, sys
from functools import partial, singledispatch, singledispatchmethod
import helpers
import helpers as tools

DEPTH = 5
WEIGHTS = [15]
FILLED = {}

def fill(table, *, more=0):
    table["k"] = 25

fill(FILLED)

class Registry:
    def __init__(self):
        self.found = {}
    def add(self, func):
        self.found[func.__name__] = func
        return func

REGISTRY = Registry()

@REGISTRY.add
def registered(x):
    return x + 26

@dataclasses.dataclass(frozen=True)
class Par:
    n: int
    def twice(self):
        return 2 * self.n

class Kind(enum.Enum):
    ONE = 1
    TWO = 2

def made(n):
    return {"made": n + 35}

def lists(x, a=[45], *, k=[46], z=([47], 1)): return a

def objects(x, p=Par(55), t=made(1)): return p.n

def names(x, w=WEIGHTS): return w

def borrowed(x, t=tools.table(1)): return t

def sets(x, kinds=frozenset({Kind.ONE})): return kinds

def memo(x, known={}):
    known[x] = x
    return x

def scaled(factor):
    def make(func):
        @functools.wraps(func)
        def wrapper(*args):
            return factor, func(*args)
        return wrapper
    return make

@scaled([65])
def wrapped(x, k=66): return x + k + DEPTH

@functools.lru_cache(maxsize=None)
def cached(x, k=67): return x + k + DEPTH

def times(n):
    def inner(x): return n, x
    return inner

by_three = times(75)
by_list = times([76])
named = lambda x, k=77, *, m=[78]: (k, m)

def ticking(start):
    now = start
    def tick():
        nonlocal now
        now += 1
        return now
    return tick

clock = ticking(79)

def ticks(x, own=times([80])): return clock()

def counted(most):
    def make(func):
        left = most
        @functools.wraps(func)
        def wrapper(*args):
            nonlocal left
            left -= 1
            return func(*args)
        return wrapper
    return make

@counted(81)
def limited(x): return x

def closures(x): return by_three(x), by_list(x), named(x)

class Model:
    def run(self, a=[85]): return a
    @classmethod
    def make(cls, a=86): return a, DEPTH
    @property
    def prop(self): return helpers.shared
    @singledispatchmethod
    def told(self, x): return 87
    @told.register
    def _(self, x: int): return 88
    @told.register
    def _(self, x: str): return 0

def holds(): return Model().run()

@singledispatch
def cost(x): return 95

@cost.register
def _(x: int): return x + 96

@cost.register(str)
def _(x, k=[97]): return DEPTH

def price(x): return cost(x)

def filled(): return FILLED

PLANNED = Par(27)

by_value = lambda x: (cached(x), PLANNED.twice())

def chooses(name): return REGISTRY.found[name](1)

if __name__ == "__main__":
    @cost.register
    def _(x: float): return 1
'''
HELPERS = """\
shared = 105
def table(n):
    return [n, 106]
"""
MODEL = {"Model", "holds", "bound", "instance"}
DEEP = {"wrapped", "cached", "by_value", *MODEL, "cost", "price"}
PRICE = {"cost", "price"}

EDITS = [
    ("[45]", "[4]", {"lists"}),
    ("[46]", "[4]", {"lists"}),
    ("[47]", "[4]", {"lists"}),
    ("Par(55)", "Par(5)", {"objects"}),
    ("2 * self.n", "3 * self.n", {"Par", "objects", "by_value"}),
    ("made(1)", "made(2)", {"objects"}),
    ("n + 35", "n + 3", {"made", "objects"}),
    ("WEIGHTS = [15]", "WEIGHTS = [1]", {"names"}),
    ("tools.table(1)", "tools.table(2)", {"borrowed"}),
    ("{Kind.ONE}", "{Kind.TWO}", {"sets"}),
    ("known={}", "known={1: 2}", {"memo"}),
    ("@scaled([65])", "@scaled([6])", {"wrapped"}),
    ("k=66", "k=6", {"wrapped"}),
    ("k=67", "k=6", {"cached", "by_value"}),
    ("DEPTH = 5", "DEPTH = 6", DEEP),
    ("times(75)", "times(7)", {"closures"}),
    ("times([76])", "times([7])", {"closures"}),
    ("k=77", "k=7", {"closures", "named"}),
    ("m=[78]", "m=[7]", {"closures"}),  # by value: `named` is another function
    ("ticking(79)", "ticking(7)", {"ticks"}),
    ("times([80])", "times([8])", {"ticks"}),
    ("@counted(81)", "@counted(8)", {"limited"}),
    ("a=[85]", "a=[8]", MODEL),
    ("a=86", "a=8", MODEL),
    ("87", "8", MODEL),
    ("88", "8", MODEL),
    ("return 95", "return 9", PRICE),
    ("x + 96", "x + 9", PRICE),
    ("[97]", "[9]", PRICE),
    ('["k"] = 25', '["k"] = 2', {"fill", "filled"}),
    ("x + 26", "x + 2", {"registered", "chooses"}),
    # nothing that any function means
    ("x: float): return 1", "x: float): return 2", set()),
    ("a=[45], *", "a: list = [ # here\n  45], *", set()),
    ("by_list = ", "\n\nby_list = \\\n  ", set()),
    ("@scaled([65])", "# here\n@scaled(\n  [65]\n)", set()),
]  # fmt: skip


def of(scripts: Scripts, text: str = PROGRAM, *, before: str = "") -> dict[str, str]:
    """Return the digests of what a program defines, by name, as a worker finds them."""
    scripts.write(text)
    scripts.write(HELPERS, "helpers.py")
    code = DIGESTS.format(worker=True).replace("\nvalues =", f"\n{before}\nvalues =")
    found: dict[str, str] = json.loads(scripts.worker(code))
    return found


@pytest.fixture(scope="module")
def unedited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return of(prepared(tmp_path_factory))


@pytest.mark.parametrize(("old", "new", "expected"), EDITS)
def test_what_an_edit_changes(
    scripts: Scripts, unedited: dict[str, str], old: str, new: str, expected: set[str]
) -> None:
    assert PROGRAM.count(old) == 1
    edited = of(prepared_in(scripts), PROGRAM.replace(old, new))
    assert {name for name in unedited if unedited[name] != edited[name]} == expected


def test_what_it_holds_at_the_moment_does_not_count(
    scripts: Scripts, unedited: dict[str, str]
) -> None:
    used = (
        "found['memo'](1); found['cached'](1); found['FILLED'].update(a=1)\n"
        "found['WEIGHTS'].append(1); found['price'](1); found['limited'](1)\n"
        "found['ticks'](1); found['lists'](1).append(3)"
    )
    assert of(prepared_in(scripts), before=used) == unedited


def test_the_same_in_root_and_workers(scripts: Scripts, unedited: dict[str, str]) -> None:
    of(prepared_in(scripts))
    code = DIGESTS.format(worker=False).strip()
    scripts.write(PROGRAM + "    " + code.replace("\n", "\n    "))
    root = json.loads(scripts.root())
    assert root.pop("_") != unedited["_"]  # the main guard has one of its own
    assert root == {name: one for name, one in unedited.items() if name != "_"}
