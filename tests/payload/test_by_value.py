"""Code that goes by value works elsewhere, and the same program always makes the same bytes."""

from __future__ import annotations

import functools
import math
import sys
import types
from typing import Any

import numpy as np
import pytest

from scoop_ft import anew
from scoop_ft.functions import dump_function, function_name, load_function
from scoop_ft.inspect.stand_ins import load_what_is_there
from scoop_ft.payload import load
from scoop_ft.pickling import dumps

from .conftest import Scripts

DETERMINISM = """
import abc, collections, dataclasses, enum, functools, hashlib, json, random, sys, typing
import os.path, helpers
from scoop_ft.functions import dump_function
from scoop_ft.payload import Packer

T = typing.TypeVar("T")
TABLE = {"a": {1, 2, 3}, "b": ("x", None)}

def closure(n):
    def add(x, *, y: int = 2) -> int:
        "Text."
        return x + n + y + len(TABLE) + (x in {None, "a", "b", 3.5, (1, "z")})
    return add

def decorated(f):
    @functools.wraps(f)
    def wrapper(*args): return f(*args)
    return wrapper

def local_classes(n):
    class Base(abc.ABC):
        value = n
        @abc.abstractmethod
        def go(self): ...
        @property
        def twice(self): return 2 * self.value
    class Child(Base):
        __slots__ = ("x",)
        def go(self): return super().twice + self.other()
        def other(self): return Other
        @classmethod
        def make(cls): return cls()
        @staticmethod
        def plain(): return json.dumps({})
    class Other(typing.Generic[T]):
        friend = Child
    class Color(enum.Enum):
        RED = "red"; BLUE = "blue"
    @dataclasses.dataclass
    class Data:
        a: int; b: list = dataclasses.field(default_factory=list)
    Named = collections.namedtuple("Named", "a b")
    return Child(), Other(), Color.BLUE, Data(1), Named(1, 2)

class TopLevel:
    def __init__(self): self.x = 1
    def method(self, y): return self.x + y

@decorated
def shiny(x): return x

square = lambda x: x * x

if __name__ == "__main__":
    def guarded(x): return closure(x), os.path.join("a", "b"), helpers.value, TABLE
    @functools.lru_cache(maxsize=7)
    def cached(n): return cached(n - 1) + closure(1)(n) if n else 0
    class Guarded:
        def method(self): return guarded, Guarded

    bulk = [object() for _ in range(random.SystemRandom().randrange(5000))]  # other addresses
    things = {
        "lambda": lambda x: x in {"a", None},
        "named lambda": square,
        "closure": closure(3),
        "wrapped": shiny.__wrapped__,
        "decorated": shiny,
        "local": closure,
        "partial": functools.partial(closure(1), 2, y=guarded),
        "partial by name": functools.partial(TopLevel.method, 2),
        "bound": TopLevel().method,
        "guarded": guarded,
        "cached": cached,
        "guarded bound": Guarded().method,
        "guarded class": Guarded,
        "classes": local_classes(3),
        "other classes": local_classes(4),
        "module lambda": helpers.function,
        "module class": helpers.make(),
        "module": sys.modules[__name__],
        "helpers": helpers,
    }
    for name, thing in things.items():
        packer = Packer()
        packer.add(thing, name)
        payload = packer.take().payload
        print(name, len(payload), hashlib.sha256(payload).hexdigest())
"""

HELPERS = """
value = 3
function = lambda x: x in {"other", None, 2.5} or "text" "other"
def make():
    class Made:
        text = "some text, with blanks"
        def method(self, text="some text, with blanks"): return "some text, with blanks", text
    return Made
"""


def test_same_program_same_bytes(scripts: Scripts) -> None:
    scripts.write(HELPERS, "helpers.py")
    scripts.write(DETERMINISM)
    # The first finds no compiled helpers, the others do; addresses differ each time.
    first, *others = (scripts.root().splitlines() for _ in range(4))
    assert len(first) == 19
    for other in others:
        assert other == first


def test_equal_named_classes_of_two_workers_stay_apart(scripts: Scripts) -> None:
    scripts.write(
        "import os, pickle, sys\n"
        "def make(n):\n"
        "    class Local:\n"
        "        value = n\n"
        "    return Local()\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.functions import dump_function\n    from scoop_ft.payload import load\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump([dump_function(make)[0]], file)\n"
        "    if sys.argv[1:]:\n"
        "        found = [load(bytes.fromhex(text)) for text in sys.argv[1:]]\n"
        "        print([one.value for one in found])\n"
        "        print(len({type(one) for one in found}))\n"
    )
    scripts.root()
    sent = [
        scripts.worker(
            f"packer = payload.Packer(); packer.add(payload.load(blobs[0])({n}), 'make')\n"
            "print(packer.take().payload.hex())\n"
        ).strip()
        for n in (1, 2)
    ]
    assert scripts.root(*sent) == "[1, 2]\n2\n"


def test_classes_of_deap(scripts: Scripts) -> None:
    pytest.importorskip("deap")
    scripts.write(
        "import os, pickle\n"
        "from deap import base, creator, tools\n"
        "def evaluate(one): return sum(one),\n"
        "toolbox = base.Toolbox()\n"
        "toolbox.register('evaluate', evaluate)\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.functions import dump_function\n"
        "    from scoop_ft.payload import load, Packer\n"
        "    creator.create('FitnessMax', base.Fitness, weights=(1.0,))\n"
        "    creator.create('Individual', list, fitness=creator.FitnessMax)\n"
        "    one = creator.Individual([1, 2])\n"
        "    packer = Packer(); packer.add((one,), 'evaluate')\n"
        "    first = packer.take().payload\n"
        "    assert type(load(first)[0]) is creator.Individual\n"
        "    kind = creator.Individual\n"
        "    creator.meta_create(*kind.reduce_args)  # gives the name to another class\n"
        "    assert creator.Individual is not kind\n"
        "    packer.add((one,), 'evaluate')\n"
        "    assert packer.take().payload == first\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump([dump_function(toolbox.evaluate)[0], first], file)\n"
    )
    scripts.root()
    printed = scripts.worker("f, args = map(payload.load, blobs); print(f(*args), args[0].fitness)")
    assert printed == "(3,) ()\n"


def test_a_class_that_a_pickle_makes_is_made_once(scripts: Scripts) -> None:
    """Each individual's pickle would else make its class anew, and take the name from the others.

    One that says something else under that name is another class.
    """
    pytest.importorskip("deap")
    scripts.write(
        "import os, pickle\n"
        "from deap import base, creator\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.payload import Packer\n"
        "    packer = Packer()\n"
        "    for weights in ((1.0,), (1.0,), (-1.0,)):\n"
        "        creator.create('Fit', base.Fitness, weights=weights)\n"
        "        creator.create('One', list, fitness=creator.Fit)\n"
        "        packer.add(creator.One([1]), 'f')\n"
        "    ends, payload = list(packer.ends), packer.take().payload\n"
        "    parts = [payload[a:b] for a, b in zip([0, *ends], ends)]\n"
        "    assert parts[0] == parts[1]\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump(parts, file)\n"
    )
    scripts.root()
    printed = scripts.worker(
        "first, second, third, again = map(payload.load, [*blobs, blobs[0]])\n"
        "print(type(first) is type(second), type(first.fitness) is type(second.fitness))\n"
        "print(type(third) is type(first), first.fitness.weights, third.fitness.weights)\n"
        "print(again.fitness.weights, type(again.fitness).weights)\n"
    )
    assert printed == "True True\nFalse (1.0,) (-1.0,)\n(1.0,) (1.0,)\n"


def test_a_class_that_no_module_has_is_made_once_too(scripts: Scripts) -> None:
    """DEAP's ephemeral constants are nowhere to be found: each tree would bring one class more."""
    pytest.importorskip("deap")
    scripts.write("def draw(): return 0.5\n", "drawing.py")
    scripts.write(
        "import os, pickle\n"
        "from deap import gp\n"
        "from drawing import draw\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.payload import Packer\n"
        "    primitives = gp.PrimitiveSet('MAIN', 1)\n"
        "    primitives.addEphemeralConstant('constant', draw)\n"
        "    [(_, kinds)] = primitives.terminals.items()\n"
        "    packer = Packer()\n"
        "    packer.add(kinds[-1](), 'f')\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump([packer.take().payload], file)\n"
    )
    scripts.root()
    printed = scripts.worker(
        "one, other = payload.load(blobs[0]), payload.load(blobs[0])\n"
        "print(one.value, type(one).__name__, type(one) is type(other))\n"
    )
    assert printed == "0.5 constant True\n"


def test_a_class_that_a_pickle_makes_may_hold_what_cannot_be_compared(scripts: Scripts) -> None:
    """An array is equal to another one in places; and 1 is not 1.0."""
    pytest.importorskip("deap")
    scripts.write(
        "import os, pickle\n"
        "import numpy as np\n"
        "from deap import creator\n"
        "creator.create('Particle', list, bounds=np.array([0.0, 1.0]))\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.payload import Packer\n"
        "    packer = Packer()\n"
        "    packer.add(creator.Particle([1]), 'f')\n"
        "    parts = [packer.take().payload]\n"
        "    for weight in (1, 1.0):\n"
        "        creator.create('One', list, weight=weight)\n"
        "        packer.add(creator.One([1]), 'f')\n"
        "        parts.append(packer.take().payload)\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump(parts, file)\n"
    )
    scripts.root()
    printed = scripts.worker(
        "particle, *others = map(payload.load, blobs)\n"
        "print(particle.bounds.tolist(), [one.weight for one in others])\n"
    )
    assert printed == "[0.0, 1.0] [1, 1.0]\n"


def test_a_class_that_a_pickle_makes_of_what_goes_by_value(scripts: Scripts) -> None:
    """It goes as its kind says, within each object: what goes by value has no bytes of its own."""
    pytest.importorskip("deap")
    scripts.write(
        "import os, pickle\n"
        "from deap import creator\n"
        "if __name__ == '__main__':\n"
        "    from scoop_ft.payload import Packer\n"
        "    creator.create('One', list, twice=lambda self: [*self, *self])\n"
        "    packer = Packer()\n"
        "    packer.add(creator.One([1]), 'f')\n"
        "    payload = packer.take().payload\n"
        "    assert b'scoop_ft.anew' not in payload\n"
        "    with open(os.environ['BLOBS'], 'wb') as file:\n"
        "        pickle.dump([payload], file)\n"
    )
    scripts.root()
    assert scripts.worker("print(payload.load(blobs[0]).twice())") == "[1, 1]\n"


def test_a_class_whose_maker_is_gone_is_stood_in_for() -> None:
    """Only for looking at what is recorded."""
    blob = b"\x80\x04(\x8c\x04gone\x8c\x04gone\x8c\x04make\x93)t."
    call = type("Call", (), {"__reduce__": lambda self: (anew.made, ("One", blob))})
    payload, _ = dumps([call(), 3])
    found = load_what_is_there(payload, [])
    with pytest.raises(ImportError, match="gone"):
        load(payload)
    assert found[1] == 3
    assert found[0].missing == "One"


# ---- in this process -----------------------------------------------------------------------------


def there_and_back(func: Any) -> Any:
    return load_function(dump_function(func)[0])


class Counter:
    def __init__(self) -> None:
        self.n = 1

    def add(self, by: int) -> int:
        return self.n + by

    def __call__(self) -> int:
        return self.n


def test_by_name_is_the_same_object() -> None:
    for func in (math.sqrt, len, Counter, functools.reduce, Counter.add, np.add, type(None)):
        assert there_and_back(func) is func


def test_with_state_is_pickled_anew() -> None:
    counter = Counter()
    assert there_and_back(counter.add)(1) == 2
    counter.n = 10
    assert there_and_back(counter.add)(1) == 11
    assert there_and_back(functools.partial(counter.add, 5))() == 15
    assert there_and_back(counter)() == 10

    step = 1

    def closure(x: int) -> int:
        return x + step

    assert there_and_back(closure)(1) == 2
    step = 5
    assert there_and_back(closure)(1) == 6


def test_recursive_closure() -> None:
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert there_and_back(fib)(10) == 55


def make_cached() -> Any:
    @functools.lru_cache(maxsize=7, typed=True)
    def fibonacci(n: int) -> int:
        """Text."""
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    return fibonacci


@functools.cache
def cached_by_name(n: int) -> int:
    return n


def test_a_cached_function_travels_without_what_is_cached() -> None:
    cached = make_cached()
    assert cached(20) == 6765
    again = load_function(dump_function(cached)[0])
    assert again.cache_parameters() == {"maxsize": 7, "typed": True}
    assert again.cache_info().currsize == 0
    assert again(30) == 832040
    assert again.cache_info().misses < 100, "it calls itself through its cache"
    assert (again.__name__, again.__doc__) == ("fibonacci", "Text.")
    assert load_function(dump_function(cached_by_name)[0]) is cached_by_name


def test_local_class_keeps_its_identity() -> None:
    class Local:
        def parent(self) -> Any:
            return super().__init__

    made = there_and_back(functools.partial(isinstance, Local(), Local))
    assert made()
    assert there_and_back(Local) is Local


def test_name_given_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    helper = there_and_back(_helper)
    assert helper is _helper
    monkeypatch.setattr(sys.modules[__name__], "_helper", lambda: "another")
    assert there_and_back(helper)() == "first"


def _helper() -> str:
    return "first"


def test_module_made_by_hand_goes_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("made_by_hand")
    monkeypatch.setitem(sys.modules, "made_by_hand", module)
    exec("def f(x): return g(x) + 1\ndef g(x): return 2 * x", module.__dict__)
    blob = dump_function(module.f)[0]
    monkeypatch.delitem(sys.modules, "made_by_hand")
    assert load_function(blob)(4) == 9


def test_names_for_people() -> None:
    def local() -> None: ...

    table = {
        "math.sqrt": math.sqrt,
        "len": len,
        "numpy.add": np.add,
        f"{__name__}.Counter.add": Counter().add,
        f"{__name__}.Counter": Counter(),
        f"{__name__}.test_names_for_people.<locals>.local": local,
        "str.upper": str.upper,
        "json.encoder.py_encode_basestring": __import__("json").encoder.py_encode_basestring,
    }
    for name, func in table.items():
        assert function_name(func) == name
        assert function_name(functools.partial(functools.partial(func))) == name
    line = sys._getframe().f_lineno + 1
    assert function_name(lambda: 0) == f"test_by_value.py:{line} <lambda>"
