"""What the tests' workers call."""

from __future__ import annotations

import decimal
import os
import signal
import time
from pathlib import Path
from typing import Any

from scoop_ft import futures

state: dict[str, Any] = {}


def square(x: int) -> int:
    return x * x


def power(base: int, exponent: int = 2) -> int:
    return base**exponent


def pause(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def pid_after(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return os.getpid()


def fail(text: str) -> None:
    raise ValueError(text)


def fail_on_odd(x: int) -> int:
    if x % 2:
        raise ValueError(str(x))
    return x * x


def wait_for(path: str) -> str:
    """Return when somebody has made the file."""
    while not os.path.exists(path):
        time.sleep(0.005)
    return path


def note(folder: str, x: int) -> int:
    """Note that this was executed; return the square."""
    with open(Path(folder, f"ran-{x}"), "a") as file:
        file.write("x")
    return x * x


def hang(folder: str, x: int) -> None:
    note(folder, x)
    time.sleep(1000)


def hang_below(folder: str, calls: int) -> None:
    """Wait for calls that never end."""
    list(futures.map(hang, [folder] * calls, range(calls)))


def noted(folder: Path, x: int) -> int:
    """Return how often `note` was executed."""
    path = folder / f"ran-{x}"
    return len(path.read_text()) if path.exists() else 0


def die_once(folder: str, x: int) -> int:
    """The first of these to run kills its worker."""
    try:
        os.close(os.open(Path(folder, "died"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return x
    os.kill(os.getpid(), signal.SIGKILL)
    return -1


def die_always() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def set_state(folder: str, value: int) -> None:
    """Be an initializer: note where it ran, keep a value for the calls."""
    Path(folder, f"init-{os.getpid()}").touch()
    assert "value" not in state, "an initializer runs once in a process"
    state["value"] = value


def get_state(x: int = 0) -> int:
    return int(state["value"]) + x


def set_digits(digits: int) -> None:
    """Be an initializer: set what is kept in a context variable."""
    decimal.getcontext().prec = digits


def digits() -> int:
    return decimal.getcontext().prec


def digits_below(depth: int) -> list[int]:
    """Tell the digits of tasks below each other, from the lowest."""
    if depth == 0:
        return [digits()]
    return [*futures.submit(digits_below, depth - 1).result(), digits()]


def folders_below(depth: int) -> list[str]:
    """Tell the folders of tasks below each other, from the lowest."""
    if depth == 0:
        return [os.getcwd()]
    return [*futures.submit(folders_below, depth - 1).result(), os.getcwd()]


def broken_initializer() -> None:
    raise RuntimeError("no such telescope")


def nested(n: int) -> int:
    from scoop_ft import Executor

    with Executor() as executor:
        one = executor.submit(square, n)
        return one.result() + sum(executor.map(square, range(n)))


def workers_inside() -> int:
    from scoop_ft import Executor

    with Executor() as executor:
        return executor._max_workers


def nested_with_initializer(folder: str) -> list[int]:
    from scoop_ft import Executor

    with Executor(initializer=set_state, initargs=(folder, 5)) as executor:
        return [executor.submit(get_state, 1).result(), *executor.map(get_state, range(3))]


async def asleep(x: float) -> float:
    """What no worker can return."""
    return x
