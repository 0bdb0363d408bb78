"""Each message as bytes that do not change by accident, and what is not well-formed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.errors import ProtocolError
from scoop_ft.wire import messages as wire
from scoop_ft.wire.codec import decode_from_broker, decode_from_peer, encode

SESSION = bytes(range(8))
BATCH = bytes(range(16))
TASK = bytes(range(20))
DIGEST = bytes(range(100, 116))
LINEAGE = bytes(16)
ENDS = bytes.fromhex("0300000005000000")  # 3, 5

# message, frames, header in hexadecimal
FROM_PEER: list[tuple[wire.Message, list[bytes], str]] = [
    (
        wire.Hello(
            4,
            SESSION,
            "worker",
            "h",
            7,
            SESSION,
            [wire.Hosting(TASK, 4, [(1, 3)], [(0, 1)])],
            [(BATCH, 0, 2)],
            3,
            {"gpu": 2},
            9,
        ),
        [],
        "9c0104c4080001020304050607a6776f726b6572a16807c40800010203040506079194c41400010203040506"
        "0708090a0b0c0d0e0f10111213049192010391920001"
        "9193c410000102030405060708090a0b0c0d0e0f00020381a36770750209",
    ),
    (
        wire.Define(1, DIGEST, "m.f", DIGEST, "3.11", [("/m.py", 5, 6)]),
        [b"pickle"],
        "970201c4106465666768696a6b6c6d6e6f70717273a36d2e66"
        "c4106465666768696a6b6c6d6e6f70717273a4332e31319193a52f6d2e70790506",
    ),
    (
        wire.Submit(2, BATCH, TASK, LINEAGE, 5, 2, [DIGEST], b"", ENDS, [], [(0, 1)], True),
        [b"aaabb"],
        "9e0302c410000102030405060708090a0b0c0d0e0fc414000102030405060708090a0b0c0d0e0f10111213"
        "c410000000000000000000000000000000000502"
        "91c4106465666768696a6b6c6d6e6f70717273c400c408030000000500000090"
        "91920001c380",
    ),
    (
        wire.Submit(
            2,
            BATCH,
            TASK,
            LINEAGE,
            5,
            1,
            [DIGEST],
            b"",
            ENDS[:4],
            [],
            [],
            True,
            wire.Options(1.5, 2, -3, {"gpu": 1}, False, DIGEST),
        ),
        [b"aaa"],
        "9e0302c410000102030405060708090a0b0c0d0e0fc414000102030405060708090a0b0c0d0e0f10111213"
        "c410000000000000000000000000000000000501"
        "91c4106465666768696a6b6c6d6e6f70717273c400c404030000009090c386"
        "ac74696d655f6c696d69745f73cb3ff8000000000000a8617474656d70747302a87072696f72697479fd"
        "a97265736f757263657381a367707501aa72657065617461626c65c2"
        "a46b657973c4106465666768696a6b6c6d6e6f70717273",
    ),
    (
        wire.Results(3, BATCH, [(0, 1), (4, 5)], b"\x00\x01", ENDS, [(4, 3)], 1, 9, True),
        [b"aaabb", b"buf"],
        "9a0403c410000102030405060708090a0b0c0d0e0f92920001920405c4020001c4080300000005000000"
        "919204030109c3",
    ),
    (
        wire.Returned(6, [(BATCH, 1, 2)], True),
        [],
        "9405069193c410000102030405060708090a0b0c0d0e0f0102c3",
    ),
    (wire.Idle(3), [], "920603"),
    (wire.SetConst(4, "k", [3]), [b"p", b"buf"], "940704a16b9103"),
    (
        wire.Cancel(1, TASK, [(0, 2)], True),
        [],
        "950801c414000102030405060708090a0b0c0d0e0f1011121391920002c3",
    ),
    (wire.Query(2, TASK, 9), [], "940902c414000102030405060708090a0b0c0d0e0f1011121309"),
    (wire.End(6, 3), [], "930a0603"),
    (wire.Leaving(), [], "910b"),
    (
        wire.Heartbeat([wire.WorkerReport(SESSION, 9, "busy", TASK, 0.5, 1, 2)]),
        [],
        "920c9197c408000102030405060709a462757379c414000102030405060708090a0b0c0d0e0f10111213"
        "cb3fe00000000000000102",
    ),
    (
        wire.Gone(7, SESSION, 9, 0, 11, TASK, "bye", True, True, True),
        [],
        "9b0d07c408000102030405060709000bc414000102030405060708090a0b0c0d0e0f10111213a3627965c3c3c3",
    ),
    (wire.AskStatus("no"), [], "920ea26e6f"),
    (
        wire.Checkpoint(8, TASK, 1, 9, 2, [(0, 2)], BATCH, [(3, 4)], False, [3]),
        [b"state", b"buf"],
        "9b0f08c414000102030405060708090a0b0c0d0e0f1011121301090291920002c41000010203040506070809"
        "0a0b0c0d0e0f91920304c29103",
    ),
    (
        wire.Step(9, TASK, 1, DIGEST, "m.f", 9, 2, []),
        [b"value"],
        "991009c414000102030405060708090a0b0c0d0e0f1011121301c4106465666768696a6b6c6d6e6f70717273"
        "a36d2e66090290",
    ),
    (
        wire.Fetch(3, TASK, 1, DIGEST, [(0, 1)]),
        [],
        "961103c414000102030405060708090a0b0c0d0e0f1011121301c4106465666768696a6b6c6d6e6f70717273"
        "91920001",
    ),
    (
        wire.Source(8, "m", "module", "/p/m.py", DIGEST),
        [b"x = 1"],
        "961208a16da66d6f64756c65a72f702f6d2e7079c4106465666768696a6b6c6d6e6f70717273",
    ),
    (wire.AskSource(3, "m"), [], "931303a16d"),
    (wire.Credit(300), [], "9214cd012c"),
]
FROM_BROKER: list[tuple[wire.Message, list[bytes], str]] = [
    (wire.Welcome("r", 2, {"seed": 1}), [], "9420a1720281a47365656401"),
    (wire.Refused("no"), [], "9221a26e6f"),
    (wire.Unknown(), [], "9122"),
    (wire.Ack(300), [], "9223cd012c"),
    (
        wire.Run(BATCH, 1, 3, LINEAGE, 6, [DIGEST], b"", ENDS, 1, [(2, 3)], [2], 1.5),
        [b"aabb", b"buf"],
        "9d24c410000102030405060708090a0b0c0d0e0f0103c4100000000000000000000000000000000006"
        "91c4106465666768696a6b6c6d6e6f70717273c400c408030000000500000001919202039102"
        "cb3ff8000000000000",
    ),
    (wire.Function(DIGEST, "m.f"), [b"pickle"], "9325c4106465666768696a6b6c6d6e6f70717273a36d2e66"),
    (
        wire.Deliver(TASK, BATCH, 5, [(0, 1), (1, 2)], b"", ENDS, 0, [], [4, 9]),
        [b"aaabb"],
        "9a26c414000102030405060708090a0b0c0d0e0f10111213c410000102030405060708090a0b0c0d0e0f"
        "0592920001920102c400c40803000000050000000090920409",
    ),
    (wire.Recall(8), [], "922708"),
    (
        wire.Drop(0, [(BATCH, 0, 1)], True),
        [],
        "9428009193c410000102030405060708090a0b0c0d0e0f0001c3",
    ),
    (wire.Const("k", []), [b"p"], "9329a16b90"),
    (wire.Cancelled(1, [(0, 1)]), [], "932a0191920001"),
    (wire.Answer(1, True), [], "932b01c3"),
    (wire.Stats({"run": "r"}), [], "922c81a372756ea172"),
    (wire.Stop("over"), [], "922da46f766572"),
    (wire.Synced(4), [], "922e04"),
    (
        wire.Fetched(3, True, 1, 9, 2, [3]),
        [b"state", b"buf"],
        "972f03c30109029103",
    ),
    (
        wire.Sources(3, [wire.SourceRef("m", "module", "/p/m.py", DIGEST)]),
        [b"x = 1"],
        "9330039194a16da66d6f64756c65a72f702f6d2e7079c4106465666768696a6b6c6d6e6f70717273",
    ),
    (wire.Forget([DIGEST]), [], "923191c4106465666768696a6b6c6d6e6f70717273"),
]
ALL = [(decode_from_peer, *each) for each in FROM_PEER]
ALL += [(decode_from_broker, *each) for each in FROM_BROKER]
IDS = [type(message).__name__ for _, message, _, _ in ALL]


@pytest.mark.parametrize(("decode", "message", "frames", "golden"), ALL, ids=IDS)
def test_bytes(decode: Any, message: wire.Message, frames: list[bytes], golden: str) -> None:
    assert encode(message).hex() == golden
    assert decode(bytes.fromhex(golden), frames) == message


def test_every_message_has_its_golden_bytes() -> None:
    def classes(union: Any) -> set[type]:
        return set(union.__args__)

    assert {type(m) for m, _, _ in FROM_PEER} == classes(wire.FromPeer)
    assert {type(m) for m, _, _ in FROM_BROKER} == classes(wire.FromBroker)


@pytest.mark.parametrize(("decode", "message", "frames", "golden"), ALL, ids=IDS)
def test_a_frame_too_many_or_too_few_is_refused(
    decode: Any, message: wire.Message, frames: list[bytes], golden: str
) -> None:
    with pytest.raises(ProtocolError):
        decode(bytes.fromhex(golden), [*frames, b"more"])
    if frames:
        with pytest.raises(ProtocolError):
            decode(bytes.fromhex(golden), frames[:-1])


@given(
    which=st.integers(0, len(ALL) - 1),
    cut=st.integers(0, 40),
    flips=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), max_size=4),
    more=st.lists(st.binary(max_size=8), max_size=3),
)
def test_whatever_comes_is_a_message_or_a_protocol_error(
    which: int, cut: int, flips: list[tuple[int, int]], more: list[bytes]
) -> None:
    decode, _, frames, golden = ALL[which]
    data = bytearray.fromhex(golden)[: max(1, len(golden) // 2 - cut)]
    for place, bits in flips:
        data[place % len(data)] ^= bits
    try:
        message = decode(bytes(data), [*frames, *more])
    except ProtocolError:
        return
    assert isinstance(message, wire.Message)


@given(st.binary(max_size=64), st.lists(st.binary(max_size=16), max_size=3))
def test_garbage(header: bytes, frames: list[bytes]) -> None:
    for decode in (decode_from_peer, decode_from_broker):
        try:
            message = decode(header, frames)
        except ProtocolError:
            continue
        assert isinstance(message, wire.Message)


# ---- the document ------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


@pytest.mark.parametrize("message", [m for _, m, _, _ in ALL], ids=IDS)
def test_the_document_has_each_message_with_its_fields_in_order(message: wire.Message) -> None:
    kind = type(message)
    tag = msgspec.msgpack.decode(encode(message))[0]
    section = re.search(rf"^### {kind.__name__} \(tag {tag}\)$(.*?)(?=^##)", PAGE, re.M | re.S)
    assert section is not None, f"docs/protocol.md has no section '### {kind.__name__} (tag {tag})'"
    rows = re.findall(r"^\| (\w+) \| ", section.group(1), re.M)
    assert [row for row in rows if row != "field"] == [f.name for f in msgspec.structs.fields(kind)]
