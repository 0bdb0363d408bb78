"""Tasks whose threads and forked processes ask for numbers."""

from __future__ import annotations

import os
import threading

import scoop_ft
from scoop_ft import futures


def asked() -> str:
    try:
        return str(scoop_ft.rng().random())
    except RuntimeError as error:
        return str(error)


def in_thread(_: int) -> tuple[str, float]:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(asked()))
    thread.start()
    thread.join()
    return found[0], scoop_ft.rng().random()


def in_fork(_: int) -> tuple[str, float]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, asked().encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said, scoop_ft.rng().random()


def handed(_: int) -> list[float]:
    """A thread that was handed its task's generator draws from it."""
    rng = scoop_ft.rng()
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(rng.random()))
    thread.start()
    thread.join()
    return [*found, scoop_ft.rng().random()]


def both(_: int) -> list[float]:
    return [scoop_ft.rng().random(), scoop_ft.rng().random()]


def main() -> None:
    said, number = futures.submit(in_thread, 0).result()
    assert "in the thread that runs the task only" in said, said
    assert 0 <= number < 1
    said, number = futures.submit(in_fork, 0).result()
    assert "a process that a task or the script has forked" in said, said
    assert 0 <= number < 1
    said, _ = in_fork(0)  # the script's own
    assert "a process that a task or the script has forked" in said, said
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(scoop_ft.rng().random()))
    thread.start()  # all of the script's threads are the script
    thread.join()
    assert len(found) == 1
    # Twice the same place: two runs of this program would print the same.
    print(futures.submit(handed, 0).result(), futures.submit(both, 0).result(), found)


if __name__ == "__main__":
    main()
