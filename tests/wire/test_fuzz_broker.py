"""A real broker among peers that say anything: it lives, counts, and serves those it admits."""

from __future__ import annotations

import os
import pickle
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from scoop_ft.rundir import Keys, RunDir, RunInfo
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_from_broker, encode

LIMIT_S = 20.0


class Served:
    """A broker process on ipc and on tcp."""

    def __init__(self, folder: Path, prefix: Sequence[str] = ()) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.tcp = f"tcp://127.0.0.1:{port}"
        self.run = RunDir(folder / "run")
        self.run.create(
            RunInfo(
                run="fuzzed", script=str(folder / "s.py"), args=[], cwd=str(folder), seed=1,
                workers=1, python=sys.executable, created=0.0, max_attempts=3, path=str(folder),
                listen=self.tcp,
            )
        )  # fmt: skip
        self.run.make_keys()
        self.ipc = self.run.choose_endpoint()
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "scoop_ft.broker", str(self.run.path)], cwd=folder
        )
        self.context = zmq.Context()

    def socket(self, endpoint: str, keys: Keys | None = None) -> zmq.Socket[bytes]:
        made = self.context.socket(zmq.DEALER)
        made.set(zmq.LINGER, 0)
        if keys is not None:
            made.curve_publickey = keys.public.encode()
            made.curve_secretkey = keys.secret.encode()
            made.curve_serverkey = keys.server.encode()
        made.connect(endpoint)
        return made

    def end(self) -> None:
        self.context.destroy(0)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0
        self.run.drop_endpoint()


@pytest.fixture
def served(tmp_path: Path, nothing_left: None) -> Iterator[Served]:
    broker = Served(tmp_path)
    yield broker
    broker.end()


def hello(session: bytes, role: str = "observer") -> bytes:
    return encode(wire.Hello(wire.PROTOCOL_VERSION, session, role, "h", 1, b"", [], []))


def receive(made: zmq.Socket[bytes], kind: type) -> Any:
    """Return the next message of a kind; overlook others."""
    deadline = time.monotonic() + LIMIT_S
    while made.poll(max(0, int((deadline - time.monotonic()) * 1000))):
        header, *frames = made.recv_multipart()
        message = decode_from_broker(header, frames)
        if isinstance(message, kind):
            return message
    raise AssertionError(f"no {kind.__name__} came")


def stats(made: zmq.Socket[bytes]) -> dict[str, Any]:
    made.send(encode(wire.AskStatus()))
    found: dict[str, Any] = receive(made, wire.Stats).stats
    return found


def until(made: zmq.Socket[bytes], truth: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while not truth(found := stats(made)):
        assert time.monotonic() < deadline, found
    return found


def garbage(seed: int, session: bytes) -> Iterator[list[bytes]]:
    """Yield messages of which none is well-formed and sensible."""
    draw = random.Random(seed)
    good = encode(
        wire.Submit(1, bytes(16), bytes(20), bytes(16), 0, 1, [bytes(16)], b"", b"\1\0\0\0", [], [])
    )
    yield []
    yield [b""]
    yield [b"\xc1"]
    yield [msgspec.msgpack.encode([99, 1])]
    yield [msgspec.msgpack.encode({"tag": 1})]
    yield [encode(wire.Results(1, bytes(16), [(0, 1 << 40)], b"", b"", [], 0, 0, False)), b""]
    yield [encode(wire.Returned(0, [(bytes(16), 5, 2)]))]
    yield [encode(wire.Define(1, bytes(16), "f", b"not a digest")), b"content"]
    yield [good, b"x", b"a frame too many"]
    yield [good]
    yield [b"\xdd\xff\xff\xff\xff" + bytes(50)]  # an array of four billion
    yield [b"\xc6\xff\xff\xff\xff" + bytes(50)]
    yield [hello(session)[:-2] + b"\x91\x94\xc4\0\0\x90" + b"\x91" * 100_000]  # nested too deep
    for _ in range(300):
        data = bytearray(draw.choice([good, hello(session), encode(wire.Idle(0))]))
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        cut = bytes(data[: draw.randrange(1, len(data))])
        yield [cut, *(draw.randbytes(draw.randrange(40)) for _ in range(draw.randrange(4)))]


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_garbage_is_dropped_and_counted(served: Served, tmp_path: Path) -> None:
    watcher = served.socket(served.ipc)
    watcher.send(hello(os.urandom(8)))
    receive(watcher, wire.Welcome)
    stranger, guest = served.socket(served.ipc), served.socket(served.ipc)
    session = os.urandom(8)
    guest.send(hello(session, "worker"))
    receive(guest, wire.Welcome)
    sent = 0
    for message in garbage(1, session):
        for each in (stranger, guest):
            each.send_multipart(message or [b"", b""])
            sent += 1
    found = until(watcher, lambda found: found["bad_messages"] > sent // 2)
    assert found["state"] == "running"
    assert served.process.poll() is None


@pytest.mark.parametrize("role", ["root", "worker"])
@pytest.mark.parametrize("sense", ["malformed", "nonsense"])
def test_who_would_wait_for_what_was_dropped_is_told(served: Served, role: str, sense: str) -> None:
    from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, digest

    session, made = os.urandom(8), served.socket(served.ipc)
    made.send(hello(session, role))
    receive(made, wire.Welcome)
    ends = b"\1\0\0\0" if sense == "nonsense" else b"\2\0\0\0"
    submit = wire.Submit(  # its function was not sent
        1, session + bytes(8), ROOT_ID, ROOT_LINEAGE, 0, 1, [digest(b"f")], b"", ends, [], []
    )
    made.send_multipart([encode(submit), b"x"])
    said = "payload does not fit its ends" if sense == "malformed" else "was not sent before it"
    assert said in receive(made, wire.Refused).reason
    until(made, lambda found: found["bad_messages"] == 1)


def test_the_broker_never_unpickles(served: Served, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    blob = pickle.dumps(Bomb(touched))
    from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, digest

    session = os.urandom(8)
    root = served.socket(served.ipc)
    root.send(hello(session, "root"))
    receive(root, wire.Welcome)
    root.send_multipart([encode(wire.Define(1, digest(blob), "bomb")), blob])
    ends = len(blob).to_bytes(4, "little")
    submit = wire.Submit(
        2, session + bytes(8), ROOT_ID, ROOT_LINEAGE, 0, 1, [digest(blob)], b"", ends, [], []
    )
    root.send_multipart([encode(submit), blob])
    root.send_multipart([encode(wire.SetConst(3, "k", [])), blob])
    assert receive(root, wire.Ack).n >= 1
    until(root, lambda found: found["tasks"]["submitted"] == 1)
    assert not touched.exists()


def test_on_tcp_only_the_runs_key_is_let_in(served: Served) -> None:
    keys = served.run.client_keys()
    assert keys is not None
    friend = served.socket(served.tcp, keys)
    friend.send(hello(os.urandom(8)))
    receive(friend, wire.Welcome)
    public, secret = (key.decode() for key in zmq.curve_keypair())
    strangers = [
        served.socket(served.tcp),  # in plain text
        served.socket(served.tcp, Keys(public=public, secret=secret, server=keys.server)),
        served.socket(served.tcp, Keys(public=keys.public, secret=secret, server=keys.server)),
    ]
    for stranger in strangers:
        stranger.send(hello(os.urandom(8)))
    # The friend is answered meanwhile, again and again: the strangers had their chance.
    for _ in range(50):
        stats(friend)
    assert not any(stranger.poll(0) for stranger in strangers)
    raw = socket.create_connection(("127.0.0.1", int(served.tcp.rpartition(":")[2])))
    raw.sendall(os.urandom(4096))
    raw.close()
    assert stats(friend)["state"] == "running"


def test_only_the_owner_may_read(served: Served) -> None:
    watcher = served.socket(served.ipc)
    watcher.send(hello(os.urandom(8)))
    receive(watcher, wire.Welcome)

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(served.run.path) == 0o700
    assert mode(served.run.keys) == 0o700
    assert {mode(path) for path in served.run.keys.iterdir()} == {0o600}
    assert mode(served.run.journal) == 0o700
