"""Everything that the framework does, with an eye on the global generators: nobody draws from them.

Once seeded in a process, they are to be where they were, whatever it does.  With ``seeded`` as
argument (and ``--seed``), what a task finds is to be its own.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from operator import add

import numpy as np

import scoop_ft
from scoop_ft import futures, shared

SEEDED = sys.argv[1:] == ["seeded"]
WHERE: list[object] = []


def where() -> object:
    """Return where the global generators of this process are."""
    return random.getstate(), np.random.get_state()[1].tobytes(), np.random.get_state()[2]


def watched(function: object, *args: object) -> object:
    """Do something in a task; the generators are to be where the last task left them."""
    if not SEEDED:
        if not WHERE:
            random.seed(5)
            np.random.seed(5)
            WHERE.append(where())
        assert where() == WHERE[0]
    before = where()
    result = function(*args)  # type: ignore[operator]
    assert where() == before
    return result


def square(n: int) -> int:
    if n < 0:
        raise ValueError(n)
    return n * n


def parent(n: int) -> int:
    found = sum(futures.map(partial(watched, square), range(n)))
    late = futures.submit(watched, square, n)
    futures.submit(watched, square, n).cancel()
    assert shared.get_const("three") == 3
    scoop_ft.rng().random()
    scoop_ft.numpy_rng().random()
    return found + late.result()


def main() -> None:
    before = where()
    shared.set_const(three=3)
    assert sum(futures.map(partial(watched, square), range(3000))) == sum(map(square, range(3000)))
    nested = [futures.submit(watched, parent, n) for n in range(12)]
    assert [f.result() for f in nested] == [sum(map(square, range(n + 1))) for n in range(12)]
    failing = futures.submit(watched, square, -1)
    assert isinstance(failing.exception(), ValueError)
    assert futures.map_reduce(partial(watched, square), add, range(100)) == 328350
    assert len(set(futures.map_as_completed(lambda n: watched(square, n), range(50)))) == 50
    done, _ = futures.wait([futures.submit(watched, square, n) for n in range(5)], timeout=60)
    assert len(done) == 5
    futures.submit(watched, square, 3).cancel()
    assert len(list(futures.as_completed(done))) == 5
    scoop_ft.rng().random()
    scoop_ft.numpy_rng().random()
    assert where() == before
    print("ok")


if __name__ == "__main__":
    main()
