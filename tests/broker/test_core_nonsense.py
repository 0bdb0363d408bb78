"""Well-formed nonsense: messages that the codec lets through and that no peer of ours would send.

Their senders were admitted, so they are bugs rather than attacks; the broker refuses them or does
what they say, stays whole, and serves the others.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoop_ft.broker.tasks import DONE
from scoop_ft.errors import ProtocolError
from scoop_ft.ids import ROOT_ID, batch_id, digest, task_id
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_from_peer, encode

from .made_up import FUNCTION, packed_ends
from .rig import Rig

SESSIONS = [number.to_bytes(8, "big") for number in range(1, 7)]  # root, agent, 2 workers, nobody
BATCHES = [batch_id(session, counter) for session in SESSIONS for counter in (1, 2)]

sessions = st.sampled_from(SESSIONS)
batches = st.sampled_from(BATCHES)
tasks = st.one_of(st.just(ROOT_ID), st.builds(task_id, batches, st.integers(0, 5)))
numbers = st.integers(1, 50)
small = st.integers(0, 6)
functions = st.sampled_from([FUNCTION, digest(b"x"), digest(b"never sent")])


@st.composite
def ranges(draw: Any, most: int = 6) -> list[tuple[int, int]]:
    edges = sorted(draw(st.sets(st.integers(0, most), max_size=4)))
    return list(zip(edges[::2], edges[1::2], strict=False))


spans = st.lists(
    st.tuples(batches, st.integers(0, 4), st.integers(5, 9)), max_size=3
)  # fmt: skip
hosting = st.builds(wire.Hosting, tasks, st.just(9), ranges())


@st.composite
def submits(draw: Any) -> tuple[wire.Submit, list[bytes]]:
    parts = draw(st.lists(st.sampled_from([b"leaf:a", b"leaf:b"]), min_size=1, max_size=5))
    chosen = draw(st.lists(functions, min_size=1, max_size=2))
    which = bytes(2 * len(parts)) if draw(st.booleans()) else b""
    claimed = [(a, b) for a, b in draw(ranges(len(parts))) if a < b]
    message = wire.Submit(
        draw(numbers), draw(batches), draw(tasks), bytes(16), draw(small), len(parts), chosen,
        which, packed_ends(parts), [], claimed,
    )  # fmt: skip
    return message, [b"".join(parts)]


@st.composite
def results(draw: Any) -> tuple[wire.Results, list[bytes]]:
    found = draw(ranges(9).filter(bool))
    count = sum(stop - start for start, stop in found)
    status = draw(st.one_of(st.just(b""), st.binary(min_size=count, max_size=count)))
    message = wire.Results(
        draw(numbers), draw(batches), found, bytes(s % 4 for s in status),
        packed_ends([b"r"] * count), [], draw(st.integers(0, count)), draw(small),
        draw(st.booleans()),
    )  # fmt: skip
    return message, [b"r" * count]


reports = st.builds(
    wire.WorkerReport, sessions, small, st.sampled_from(["busy", "idle", "stopped", "?"]),
    st.one_of(st.just(b""), tasks), st.floats(), small, small,
)  # fmt: skip
plain = st.one_of(
    st.builds(
        wire.Hello, st.integers(wire.PROTOCOL_VERSION - 1, wire.PROTOCOL_VERSION), sessions,
        st.sampled_from(["root", "worker", "agent", "observer"]), st.text(max_size=3), small,
        st.sampled_from([b"", *SESSIONS]), st.lists(hosting, max_size=2), spans,
    ),
    st.builds(wire.Returned, small, spans),
    st.builds(wire.Idle, small),
    st.builds(wire.Cancel, small, tasks, ranges()),
    st.builds(wire.Query, small, tasks, small),
    st.builds(wire.Leaving),
    st.builds(wire.Heartbeat, st.lists(reports, max_size=3)),
    st.builds(
        wire.Gone, numbers, sessions, small, small, small, st.one_of(st.just(b""), tasks),
        st.text(max_size=3),
    ),
    st.builds(wire.AskStatus),
    st.builds(wire.Fetch, small, tasks, st.integers(-1, 3), st.just(digest(b"x")), ranges()),
)  # fmt: skip


@st.composite
def checkpoints(draw: Any) -> tuple[wire.Checkpoint, list[bytes]]:
    first, more = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    wanted = [each for each in draw(ranges()) if each[1] <= first + more]
    message = wire.Checkpoint(
        draw(numbers), draw(tasks), first, first + more, draw(small), draw(ranges()),
        draw(st.one_of(st.just(b""), batches)), wanted, draw(st.booleans()), [],
    )  # fmt: skip
    return message, [draw(st.binary(max_size=2))]


@st.composite
def durable_steps(draw: Any) -> tuple[wire.Step, list[bytes]]:
    step = draw(st.integers(0, 3))
    call = digest(draw(st.sampled_from([b"x", b"y"])))
    message = wire.Step(draw(numbers), draw(tasks), step, call, "f", draw(small), step + 1, [])
    return message, [b"value"]


framed = st.one_of(
    submits(),
    results(),
    st.tuples(
        st.builds(wire.Define, numbers, st.just(digest(b"x")), st.text(max_size=3)),
        st.just([b"x"]),
    ),
    st.tuples(st.builds(wire.SetConst, numbers, st.text(max_size=1), st.just([])), st.just([b"x"])),
    checkpoints(),
    durable_steps(),
    plain.map(lambda message: (message, [])),
)
steps = st.tuples(sessions, framed, st.integers(0, 7))


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=10, max_size=60))
def test_nonsense_leaves_the_broker_whole(said: list[tuple[bytes, Any, int]]) -> None:
    rig = Rig()
    root, _agent = rig.root(), rig.agent()
    rig.worker(), rig.worker()
    root.submit("leaf:a", "tree:2:b", "leaf:c", "leaf:d")
    for session, (message, frames), what in said:
        if type(message) is wire.Hello:
            session = message.session
        try:
            rig.say(session, message, frames)
        except ProtocolError as error:
            rig.broker.refuse(session, message, str(error))
            rig.flush()
        if what < 4:
            rig.dispatch()
        if what == 0:
            rig.commit()
        if what == 1:
            rig.tick(3.0)
    rig.peers.clear()
    rig.restart(resume=True)
    root = rig.root()
    rig.worker()
    root.submit("leaf:z", "tree:2:y")
    rig.settle()
    assert not root.missing()


def test_results_that_no_batch_can_have_harm_only_themselves() -> None:
    """They wait for their batch after a restart; it comes, and has fewer tasks."""
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    rig.commit()
    rig.restart()
    name = batch_id(root.session, 1)
    worker.connect()
    for n, stop in ((1, 9), (2, 1)):
        message = wire.Results(
            n, name, [(0, stop)], b"", packed_ends([b"r"] * stop), [], 0, 0, False
        )  # fmt: skip
        rig.say(worker.session, message, [b"r" * stop])
    root.connect()
    rig.flush()
    root.handle()
    root.submit("leaf:a", "leaf:b")
    batch = rig.broker.book.batches[name]
    assert batch.state[0] == DONE
    assert not rig.broker.peers[worker.session].unsettled


def test_ends_that_do_not_grow_are_refused() -> None:
    """The broker cuts payloads at these places: what it sent could not be read."""
    submit = wire.Submit(
        1, BATCHES[0], ROOT_ID, bytes(16), 0, 3, [FUNCTION], b"",
        b"\5\0\0\0\1\0\0\0\6\0\0\0", [], [],
    )  # fmt: skip
    with pytest.raises(ProtocolError):
        decode_from_peer(encode(submit), [b"abcdef"])
    results = wire.Results(
        1, BATCHES[0], [(0, 2)], b"", b"\7\0\0\0\6\0\0\0", [], 0, 0, False
    )  # fmt: skip
    with pytest.raises(ProtocolError):
        decode_from_peer(encode(results), [b"abcdef"])


def test_a_buffer_of_no_task_is_refused() -> None:
    results = wire.Results(1, BATCHES[0], [(3, 4)], b"", b"\1\0\0\0", [(0, 2)], 0, 0, False)
    with pytest.raises(ProtocolError):
        decode_from_peer(encode(results), [b"a", b"bb"])


def test_a_header_nested_too_deep_is_no_message() -> None:
    deep = b"\x91" * 200_000 + b"\x90"
    hosting = b"\x94" + msgspec.msgpack.encode(ROOT_ID) + b"\x00\x90" + deep
    begin = b"\x99\x01\x01\xc4\x08" + bytes(8) + b"\xa4root\xa1h\x01\xc4\x00\x91"
    with pytest.raises(ProtocolError):
        decode_from_peer(begin + hosting + b"\x90", [])
