"""What the machine itself can do: pickle, ØMQ and LMDB by themselves, with nobody's tasks.

``bare.py --out FILE``: writes figures.

- ``pickled``: calls of a function that does nothing whose arguments and result are pickled and
  loaded again in one process, a second.
- ``two_hops``: a message from one process through a ROUTER to another one and back, µs, p50.
- ``routed``: bytes a second of messages of 1 MB that go there and back.
- ``synced``: a record of 100 bytes in LMDB, a transaction and sync each, µs, p50.
- ``stored``: records of 100 bytes a second, 10,000 a transaction.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import zmq

CALLS = 200_000
TRIPS = 2_000
BIG, BIG_TRIPS, UNDER_WAY = 1_000_000, 200, 8
WRITES = 200
RECORDS, BATCHES = 10_000, 20
RECORD = bytes(100)


def noop(number: int) -> int:
    return number


def pickled() -> float:
    began = time.perf_counter()
    for number in range(CALLS):
        args = pickle.loads(pickle.dumps((number,), 5))
        assert pickle.loads(pickle.dumps(noop(*args), 5)) == number
    return CALLS / (time.perf_counter() - began)


def route(folder: str) -> None:
    """Hand messages of the client to the worker, and back."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(f"ipc://{folder}/router")
        while True:
            sender, *rest = router.recv_multipart(copy=False)
            other = b"worker" if sender.bytes == b"client" else b"client"
            router.send_multipart([other, *rest], copy=False)


def echo(folder: str) -> None:
    """Send back what comes."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.identity = b"worker"
        dealer.connect(f"ipc://{folder}/router")
        while True:
            dealer.send_multipart(dealer.recv_multipart(copy=False), copy=False)


@contextmanager
def through_a_router() -> Iterator[zmq.Socket[bytes]]:
    """Yield a socket whose messages another process sends back."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        others = [spawn.Process(target=each, args=(folder,), daemon=True) for each in (route, echo)]
        for other in others:
            other.start()
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.identity = b"client"
            dealer.connect(f"ipc://{folder}/router")
            while True:  # until both are there: the router drops what it cannot deliver
                dealer.send(b"")
                if dealer.poll(100):
                    break
            while dealer.poll(100):
                dealer.recv()
            yield dealer
        for other in others:
            other.terminate()
            other.join()


def two_hops(dealer: zmq.Socket[bytes]) -> float:
    times = []
    for _ in range(TRIPS):
        began = time.perf_counter()
        dealer.send(b"x")
        dealer.recv()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def routed(dealer: zmq.Socket[bytes], trips: int = BIG_TRIPS) -> float:
    data = bytes(BIG)
    began = time.perf_counter()
    for trip in range(trips + UNDER_WAY):
        if trip < trips:
            dealer.send(data, copy=False)
        if trip >= UNDER_WAY:
            assert len(dealer.recv(copy=False)) == BIG
    return 2 * BIG * trips / (time.perf_counter() - began)


def written(folder: str) -> tuple[float, float]:
    """Return the µs of a record that is synced by itself, and how many a second go together."""
    times, number = [], 0
    with lmdb.open(folder, map_size=1 << 30) as store:
        for _ in range(WRITES):
            began = time.perf_counter()
            with store.begin(write=True) as transaction:
                transaction.put(number.to_bytes(8, "big"), RECORD, append=True)
            times.append(time.perf_counter() - began)
            number += 1
        began = time.perf_counter()
        for _ in range(BATCHES):
            with store.begin(write=True) as transaction:
                for _ in range(RECORDS):
                    transaction.put(number.to_bytes(8, "big"), RECORD, append=True)
                    number += 1
        stored = RECORDS * BATCHES / (time.perf_counter() - began)
    return statistics.median(times) * 1e6, stored


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    figures = {"pickled": pickled()}
    with through_a_router() as dealer:
        figures["two_hops"] = two_hops(dealer)
        figures["routed"] = routed(dealer)
    with tempfile.TemporaryDirectory(dir=args.out.parent) as folder:
        figures["synced"], figures["stored"] = written(folder)
    args.out.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
