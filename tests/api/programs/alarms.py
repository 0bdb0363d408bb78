"""Handlers of signals that raise: while the script waits, while tasks wait, and after a task."""

import asyncio
import os
import random
import signal
import sys
import threading
import time

from scoop_ft import futures

ROUNDS = 1_000
CALLS = 10
LOST_S = 10.0


class Late(Exception):
    pass


def on_alarm(number, frame):
    raise Late


def double(x):
    return 2 * x


def patiently(future, draw):
    """Wait, with a time limit that is soon over, again and again."""
    begun = time.monotonic()
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-4, 2e-3))
            try:
                return future.result()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Late:
            assert time.monotonic() - begun < LOST_S, "a result was lost"


def waits(rounds):
    signal.signal(signal.SIGALRM, on_alarm)
    assert signal.getsignal(signal.SIGALRM) is on_alarm
    draw = random.Random(rounds)
    for number in range(rounds):
        pending = [futures.submit(double, number + k) for k in range(CALLS)]
        assert [patiently(each, draw) for each in pending] == [
            2 * (number + k) for k in range(CALLS)
        ]
    return os.getpid()


def submits(rounds):
    """Submit, alone and many as they are read, under a time limit that is taken back at once."""
    draw = random.Random(rounds)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL  # it would end this process
    for number in range(rounds):
        former = signal.signal(signal.SIGALRM, on_alarm)
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 2e-4))
                pending = [futures.submit(double, number)]
                pending += futures.map(double, (k for k in range(CALLS)))
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, former)
        except Late:
            continue
    assert futures.submit(double, rounds).result() == 2 * rounds


class Rings:
    """The alarm comes while this is pickled."""

    def __reduce__(self):
        signal.raise_signal(signal.SIGALRM)
        return Rings, ()

    def __call__(self, x):
        return 2 * x


def submits_what_rings():
    """The alarm is what comes of it, or nothing: it is no fault of what is pickled."""
    former = signal.signal(signal.SIGALRM, on_alarm)
    for how in (futures.submit, futures.map):
        late = 0
        try:
            how(Rings(), [1])
            time.sleep(LOST_S)
        except Late:
            late += 1
        assert late == 1
    signal.signal(signal.SIGALRM, former)


def hears(signals):
    """Each signal that a loop of asyncio hears is heard once."""
    heard = []

    async def listen():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGALRM, heard.append, 1)
        for number in range(signals):
            signal.setitimer(signal.ITIMER_REAL, 4e-4)
            futures.submit(double, number).result()
            time.sleep(0.001)
            await asyncio.sleep(0.002)

    asyncio.run(listen())
    assert len(heard) <= signals, len(heard)


def forgets(delay):
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)  # and does not take it back
        return os.getpid()
    except Late:  # this process stood still meanwhile
        return os.getpid()


def computes(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return seconds


def is_late_while_others_compute(calls):
    signal.signal(signal.SIGALRM, on_alarm)
    pending = [futures.submit(computes, 0.02) for _ in range(calls)]
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    while True:
        try:
            return sum(each.result() for each in pending)
        except Late:
            continue  # it came before this task waited: whose timer it is may take it


if __name__ == "__main__":
    if sys.argv[1] == "script":
        waits(ROUNDS)
        assert signal.signal(signal.SIGALRM, signal.SIG_IGN) is on_alarm
    elif sys.argv[1] == "submissions":
        submits_what_rings()
        submits(ROUNDS)
    elif sys.argv[1] == "loop":
        hears(ROUNDS)
    elif sys.argv[1] == "tasks":
        workers = set(futures.map(waits, [ROUNDS // 20] * 6))
        assert len(workers) <= 2, workers
    elif sys.argv[1] == "others":
        assert list(futures.map(is_late_while_others_compute, [5] * 4)) == [sum([0.02] * 5)] * 4
    elif sys.argv[1] == "end":
        signal.signal(signal.SIGALRM, on_alarm)
        threading.Thread(target=time.sleep, args=(0.4,)).start()  # is waited for
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    else:
        workers = set()
        for _ in range(20):
            workers.update(futures.map(forgets, [0.002] * 6))
            time.sleep(0.01)
        assert len(workers) <= 2, workers
    print("ok")
