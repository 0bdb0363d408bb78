"""Futures from several threads of the root, and while it does not wait at all."""

from __future__ import annotations

import os
import threading
import time

import gates

from scoop_ft import futures


def square(k: int) -> int:
    return k * k


def from_a_thread(number: int, failures: list[str]) -> None:
    try:
        for k in range(30):
            assert futures.submit(square, k).result() == k * k
        base = 1000 * number
        assert list(futures.map(square, range(base, base + 500))) == [
            k * k for k in range(base, base + 500)
        ]
        several = [futures.submit(square, base + k) for k in range(50)]
        assert {f.result() for f in futures.as_completed(several)} == {
            (base + k) ** 2 for k in range(50)
        }
    except BaseException as error:
        failures.append(repr(error))
        raise


def check_threads() -> None:
    failures: list[str] = []
    threads = [threading.Thread(target=from_a_thread, args=(k, failures)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def check_one_thread_feeds_another() -> None:
    """The items of a map come from a thread that submits too."""
    import queue

    items: queue.Queue[int | None] = queue.Queue()

    def feed() -> None:
        for k in range(20):
            items.put(int(futures.submit(square, k).result()))
        items.put(None)

    thread = threading.Thread(target=feed)
    thread.start()
    assert list(futures.map(abs, iter(items.get, None))) == [k * k for k in range(20)]
    thread.join()


def check_it_begins_without_being_waited_for() -> None:
    """Looking at files only, never at a future."""
    futures.submit(gates.note, "begun.log", "here")
    _wait_for("begun.log")

    def slow_items() -> object:
        yield "slow.log"
        _wait_for("slow.log")  # the first item's task runs while the map is read
        yield "slow.log"

    assert list(futures.map(gates.note, slow_items(), ["a", "b"])) == ["a", "b"]


def _wait_for(path: str) -> None:
    deadline = time.monotonic() + 20
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"{path} was not begun"
        time.sleep(0.005)


def check_cancelling_what_is_queued() -> None:
    here = ["busy-0", "busy-1"]
    busy = [futures.submit(gates.keep_worker, path, "go-on") for path in here]
    for path in here:
        _wait_for(path)
    queued = [futures.submit(gates.note, "queued.log", str(k)) for k in range(5)]
    assert not queued[0].running()
    assert queued[1].cancel()
    assert queued[3].cancel()
    assert not busy[0].cancel()
    assert busy[0].running()
    waiting = threading.Thread(target=lambda: expect_cancelled(queued[4]))
    waiting.start()
    assert queued[4].cancel()
    waiting.join(20)
    assert not waiting.is_alive()
    open("go-on", "w").close()
    futures.wait([*queued, *busy])
    assert [future.cancelled() for future in queued] == [False, True, False, True, True]
    with open("queued.log") as file:
        assert sorted(file.read().split()) == ["0", "2"]


def expect_cancelled(future: futures.Future) -> None:
    try:
        future.result()
    except futures.CancelledError:
        return
    raise AssertionError("not cancelled")


def check_callbacks_without_waiting() -> None:
    called = threading.Event()
    futures.submit(square, 3).add_done_callback(lambda future: called.set())
    assert called.wait(20)


if __name__ == "__main__":
    check_threads()
    check_one_thread_feeds_another()
    check_it_begins_without_being_waited_for()
    check_callbacks_without_waiting()
    check_cancelling_what_is_queued()
    for k in range(3):
        futures.submit(gates.note, "forgotten.log", str(k))  # fire and forget
    print("ok")
