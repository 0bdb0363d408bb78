"""What tasks may do, and what may be a task."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np

from scoop_ft import futures


class Counter:
    """Has methods of all kinds, and can be called."""

    step = 2

    def __init__(self, start: int) -> None:
        self.start = start

    def add(self, n: int) -> int:
        return self.start + n

    def __call__(self, n: int) -> int:
        return self.start * n

    @classmethod
    def times(cls, n: int) -> int:
        return cls.step * n

    @staticmethod
    def half(n: int) -> float:
        return n / 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counter) and other.start == self.start

    def __hash__(self) -> int:
        return self.start


def in_threads() -> list[int]:
    found: list[int] = []
    threads = [threading.Thread(target=found.append, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def futures_in_a_thread() -> str:
    said: list[str] = []

    def use() -> None:
        try:
            futures.submit(abs, 1)
        except RuntimeError as error:
            said.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert futures.submit(abs, -5).result() == 5  # nothing is harmed
    return said[0]


def by_subprocess() -> str:
    code = "import sys; print(len(sys.stdin.read()))"
    done = subprocess.run(
        [sys.executable, "-c", code], input="four", capture_output=True, text=True, check=True
    )
    assert os.system("exit 3") >> 8 == 3
    return done.stdout


def by_pool(method: str) -> list[int]:
    with (
        warnings.catch_warnings(),
        multiprocessing.get_context(method).Pool(2) as pool,
    ):
        return pool.map(abs, range(-4, 0))


def by_fork(how: str) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        if how == "exit":
            sys.exit(7)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forked_that_is_ended() -> int:
    """A child answers SIGTERM and SIGINT as children do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        process.start()
    process.terminate()
    process.join(20)
    return process.exitcode or 0


def leaves() -> None:
    sys.exit("for good")


def interrupted() -> None:
    raise KeyboardInterrupt


def numbers() -> Iterator[int]:
    yield 1


def logs() -> None:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("mine").warning("a task has logged")


def prints(k: int) -> None:
    print(f"begin {k} " + "x" * 200, f"end {k}")


def raises(kind: type[BaseException], call: Callable[[], object]) -> BaseException:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")


def check_what_tasks_do() -> None:
    assert futures.submit(in_threads).result() == [0, 1, 2, 3]
    assert "not in a thread" in futures.submit(futures_in_a_thread).result()
    assert futures.submit(by_subprocess).result() == "4\n"
    assert futures.submit(by_pool, "fork").result() == [4, 3, 2, 1]
    assert futures.submit(by_pool, "spawn").result() == [4, 3, 2, 1]
    assert futures.submit(by_fork, "_exit").result() == 7
    assert futures.submit(by_fork, "exit").result() == 7
    assert futures.submit(forked_that_is_ended).result() == -signal.SIGTERM
    futures.submit(logs).result()
    list(futures.map(prints, range(50)))


def check_how_tasks_end() -> None:
    stop = raises(SystemExit, futures.submit(leaves).result)
    assert isinstance(stop, SystemExit)
    assert stop.code == "for good"
    raises(KeyboardInterrupt, futures.submit(interrupted).result)
    error = raises(TypeError, futures.submit(numbers).result)
    assert "the result of tasks.numbers" in str(error), error
    assert "generator" in str(error)
    assert futures.submit(bytes, 20_000_000).result() == bytes(20_000_000)
    assert list(futures.map(Counter(0).__class__, range(3))) == [Counter(k) for k in range(3)]
    assert futures.submit(abs, -1).result() == 1


def check_numpy() -> None:
    matrix = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(futures.submit(np.transpose, matrix).result(), matrix.T)
    assert futures.submit(np.add, 1, 2).result() == 3
    large = np.random.default_rng(1).random((500, 500))
    arrived = futures.submit(np.linalg.inv, large).result()
    assert np.allclose(arrived @ large, np.eye(500))
    arrived += 1  # it is writable
    squares = np.array(list(futures.map(np.square, matrix)))
    assert np.array_equal(squares, matrix**2)
    future = futures.submit(np.sum, large)
    before = large.sum()
    large[:] = 0  # not seen by the call
    assert np.isclose(future.result(), before)


def check_what_may_be_a_task(offset: int) -> None:
    counter = Counter(5)
    tasks: list[tuple[Callable[[int], object], object]] = [
        (lambda n: n + offset, 3 + offset),
        (counter.add, 8),
        (counter, 15),
        (Counter.times, 6),
        (Counter.half, 1.5),
        (Counter, Counter(3)),
        (functools.partial(pow, 2), 8),
        (functools.partial(counter.add), 8),
        (functools.partial(lambda a, b, c=0: a + b + c, 1, c=offset), 4 + offset),
        ([1, 2, 3, 4].__getitem__, 4),
        (guarded, 103),
        (with_default, 4),
        (wrapped, 6),
        (str, "3"),
    ]
    for task, value in tasks:
        assert futures.submit(task, 3).result() == value, task
        assert list(futures.map(task, [3, 3])) == [value, value], task
    assert futures.submit("{}{b}".format, 1, b=2).result() == "12"


def with_default(n: int, *, more: int = 1) -> int:
    return n + more


def doubled(function: Callable[[int], int]) -> Callable[[int], int]:
    @functools.wraps(function)
    def call(n: int) -> int:
        return 2 * function(n)

    return call


@doubled
def wrapped(n: int) -> int:
    return n


def inside() -> None:
    check_how_tasks_end()
    check_numpy()


if __name__ == "__main__":

    def guarded(n: int) -> int:
        return n + 100

    check_what_tasks_do()
    check_how_tasks_end()
    check_numpy()
    check_what_may_be_a_task(10)
    futures.submit(inside).result()
    print("ok")
