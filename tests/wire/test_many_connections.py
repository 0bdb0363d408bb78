"""More peers than a process may have descriptors by default; frames through the core of pyzmq."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from scoop_ft.wire import messages as wire
from scoop_ft.wire import parts

from .test_fuzz_broker import Served, hello, receive, stats

FEW = 64  # descriptors that the broker is allowed when it is started
PEERS = 150


@pytest.fixture
def served(tmp_path: Path, nothing_left: None) -> Iterator[Served]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10 * PEERS:
        pytest.skip("this process may not have so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 10 * PEERS), hard))
    broker = Served(tmp_path, ["/bin/sh", "-c", f'ulimit -S -n {FEW}; exec "$@"', "sh"])
    yield broker
    broker.end()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_broker_admits_more_peers_than_the_soft_limit_lets_it(served: Served) -> None:
    made = [served.socket(served.ipc) for _ in range(PEERS)]
    for number, one in enumerate(made):
        one.send(hello(number.to_bytes(8, "big"), "worker"))
    for one in made:
        assert receive(one, wire.Welcome).run == "fuzzed"
    assert len(stats(made[0])["workers"]) == PEERS


@pytest.fixture
def pair() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as two:
        for each in (one, two):
            each.set(zmq.LINGER, 0)
        one.bind("inproc://parts")
        two.connect("inproc://parts")
        yield one, two


@pytest.mark.parametrize("copy", [True, False])
def test_frames_come_as_they_were_sent(
    pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]], copy: bool
) -> None:
    one, two = pair
    messages = [[b"a"], [b"", b"b" * 100_000, memoryview(b"c")], [bytearray(b"d"), b""]]
    for frames in messages:
        parts.send(one, frames, copy=copy)
    for frames in messages:
        came = parts.receive(two)
        assert came is not None
        assert [frame.bytes for frame in came] == [bytes(frame) for frame in frames]


def send_all(socket: zmq.Socket[bytes], count: int) -> None:
    for _ in range(count):
        parts.send(socket, [b"x"])


def test_nothing_blocks(pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    one, two = pair
    began = time.monotonic()
    assert parts.receive(two) is None
    two.close()
    with pytest.raises(zmq.Again):
        send_all(one, 10_000)
    assert time.monotonic() - began < 5.0
