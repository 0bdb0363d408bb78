"""Tasks that wait find the process as they left it, and those beside them as if they were alone."""

import asyncio
import contextlib
import io
import os
import random
import sys
import time
import warnings
from pathlib import Path

from scoop_ft import futures, options

HOME = Path.cwd()


def leaf(x):
    time.sleep(random.Random(x).uniform(0.001, 0.02))
    return x


def leaves(n):
    """Wait for tasks that go over the broker: meanwhile another task begins on this worker."""
    return sum(futures.map(options(leaf, time_limit=60), range(3 * n, 3 * n + 3)))


def folder(n):
    assert Path.cwd() == HOME, Path.cwd()
    place = HOME / f"of-{n}"
    place.mkdir(exist_ok=True)  # it may be run again
    os.chdir(place)
    leaves(n)
    assert Path.cwd() == place, Path.cwd()
    Path("result").write_text(str(n))
    os.chdir("..")
    assert (place / "result").read_text() == str(n)
    return n


def removed(n):
    place = HOME / f"removed-{n}"
    place.mkdir()
    os.chdir(place)
    place.rmdir()
    leaves(n)
    os.chdir(HOME)
    return n


def prints(n):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        print("begin", n)
        leaves(n)
        print("end", n, file=sys.stderr)
    assert said.getvalue() == f"begin {n}\nend {n}\n", said.getvalue()
    assert sys.stdout is sys.__stdout__
    return n


def warns(n):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always" if n % 2 else "error")
        leaves(n)
        if n % 2:
            warnings.warn(f"of {n}", stacklevel=1)
        else:
            with contextlib.suppress(UserWarning):
                warnings.warn(f"of {n}", stacklevel=1)
                raise AssertionError("it is no error")
    assert [str(each.message) for each in caught] == [f"of {n}"] * (n % 2)
    return n


async def steps(n):
    for _ in range(2):
        await asyncio.sleep(0.001)
        leaves(n)
        assert asyncio.current_task().get_name() == f"of {n}"
        async for x in counts(n):
            assert x < n + 2
    return n


async def counts(n):
    for x in range(n, n + 2):
        await asyncio.sleep(0)
        yield x


async def named(n):
    return await asyncio.create_task(steps(n), name=f"of {n}")


def loops(n):
    return asyncio.run(named(n))


if __name__ == "__main__":
    kind = globals()[sys.argv[1]]
    assert list(futures.map(kind, range(40))) == list(range(40))
    print("ok")
