"""The user's code: recorded once, given to who asks, and which version counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scoop_ft.broker import figures
from scoop_ft.broker.code import blob_name
from scoop_ft.broker.records import Kind
from scoop_ft.errors import ProtocolError
from scoop_ft.ids import ROOT_ID, ROOT_LINEAGE, digest
from scoop_ft.wire import messages as wire

from .peers import FakePeer
from .rig import Rig

OLD, NEW = b"x = 1\n", b"x = 2\n"


def runs(peer: FakePeer, name: str, data: bytes) -> None:
    """A process runs a version of a module."""
    path = f"/p/{name}.py"
    peer.keep(wire.Source(peer.number(), name, "module", path, digest(data)), [data])
    peer.rig.flush()


def asked(peer: Any, name: str) -> list[bytes]:
    """Return the code that a process gets for a name."""
    peer.say(wire.AskSource(5, name))
    peer.rig.flush()
    message, frames = peer.inbox[-1]
    assert type(message) is wire.Sources
    assert message.request == 5
    return [bytes(frame) for frame in frames]


def told(peer: FakePeer) -> dict[str, bytes]:
    """Return the digests that a process was told of, by name."""
    said = [m for m, _ in peer.inbox if type(m) is wire.Sources and not m.request]
    return {ref.name: ref.digest for m in said for ref in m.sources}


def kinds(rig: Rig) -> list[int]:
    return [record.kind for _, record in rig.journal.scan()]


def computes(root: Any, what: bytes = b"leaf:a") -> None:
    """A launch submits something, which is recorded unless it is already."""
    root.submit_batch(ROOT_ID, ROOT_LINEAGE, 0, [what])


def test_code_is_recorded_once_and_given_to_who_asks() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    runs(root, "m", OLD)
    runs(root, "m", OLD)
    runs(worker, "m", OLD)
    runs(root, "same_bytes", OLD)
    rig.commit()
    assert kinds(rig).count(Kind.SOURCE) == 2
    assert rig.journal.blob(blob_name(digest(OLD))) == OLD
    assert asked(worker, "m") == [OLD]
    assert asked(worker, "never_seen") == []


def test_the_others_are_told_and_so_is_who_comes_later() -> None:
    rig = Rig()
    root, early = rig.root(), rig.worker()
    runs(root, "m", OLD)
    late = rig.worker()
    assert told(early) == {"m": digest(OLD)}
    assert told(root) == {}
    assert any(type(m) is wire.Sources for m in late.heard)


def test_the_first_version_counts_but_the_root_knows_better() -> None:
    rig = Rig()
    root, one, two = rig.root(), rig.worker(), rig.worker()
    runs(one, "m", OLD)
    runs(two, "m", NEW)
    assert told(two)["m"] == digest(OLD)  # so it knows that it must leave
    assert asked(one, "m") == [OLD]
    runs(root, "m", NEW)
    assert told(one)["m"] == told(two)["m"] == digest(NEW)
    assert asked(one, "m") == [NEW]


def test_a_restarted_broker_knows_what_was_committed() -> None:
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    rig.commit()
    runs(root, "lost", NEW)
    rig.restart()
    root.connect()
    rig.flush()
    root.handle()  # it says again what was not acknowledged
    rig.flush()
    assert asked(root, "m") == [OLD]
    assert asked(root, "lost") == [NEW]


def test_a_resumed_run_uses_what_it_finds_unless_told_otherwise() -> None:
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    computes(root)
    rig.commit()
    rig.restart(resume=True)
    assert asked(rig.root(), "m") == []
    assert rig.broker.book.code.recorded["m"].ref.digest == digest(OLD)


def test_a_launch_that_has_computed_replaces_the_code_and_its_bytes() -> None:
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    computes(root)
    rig.commit()
    rig.restart(resume=True)
    root = rig.root()
    runs(root, "m", NEW)
    rig.commit()
    computes(root)  # which finds what is recorded
    rig.commit()
    assert rig.journal.blob(blob_name(digest(OLD))) == OLD
    computes(root, b"leaf:b")
    rig.commit()
    assert rig.journal.blob(blob_name(digest(OLD))) is None
    assert kinds(rig).count(Kind.SOURCE) == 2  # one says that a launch began
    rig.restart()
    assert rig.broker.book.code.recorded["m"].ref.digest == digest(NEW)


def test_a_launch_that_computed_nothing_leaves_the_code_as_it_was() -> None:
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    computes(root)
    rig.commit()
    rig.restart(resume=True)
    runs(rig.root(), "m", NEW)
    rig.commit()
    rig.restart(resume=True)
    rig.commit()
    assert rig.broker.book.code.recorded["m"].ref.digest == digest(OLD)
    assert rig.journal.blob(blob_name(digest(OLD))) == OLD
    assert rig.journal.blob(blob_name(digest(NEW))) is None
    rig.restart()
    assert rig.broker.book.code.recorded["m"].ref.digest == digest(OLD)


@pytest.mark.parametrize("keep_failed", [False, True])
def test_a_broker_that_dies_in_a_resumed_run_knows_what_is_of_now(keep_failed: bool) -> None:
    """It would else give out the code of before for what the run has not yet named."""
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    runs(root, "late", OLD)
    computes(root)
    rig.commit()
    rig.restart(resume=True)
    if keep_failed:
        rig.broker.recover([], resume=True, now=rig.now, keep_failed=True)
    root = rig.root()
    runs(root, "m", NEW)
    computes(root, b"leaf:b")
    rig.commit()
    rig.restart()
    worker = rig.worker()
    assert asked(worker, "m") == [NEW]
    assert asked(worker, "late") == []
    found = {name: entry.ref.digest for name, entry in rig.broker.book.code.recorded.items()}
    assert found == {"m": digest(NEW), "late": digest(OLD)}


def test_bytes_that_another_module_has_too_stay() -> None:
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    runs(root, "copy", OLD)
    computes(root)
    runs(root, "m", NEW)
    rig.commit()
    assert asked(root, "copy") == [OLD]


def test_the_recorded_code_can_be_made_to_count() -> None:
    rig = Rig()
    root = rig.root()
    runs(root, "m", OLD)
    computes(root)
    rig.commit()
    rig.restart(resume=True)
    rig.broker.recover([], resume=True, now=rig.now, recorded_code=True)
    rig.commit()
    worker = rig.worker()
    assert asked(worker, "m") == [OLD]
    rig.restart()  # only the broker
    assert asked(rig.worker(), "m") == [OLD]


def test_nonsense_is_refused() -> None:
    rig = Rig()
    root, worker = rig.root(), rig.worker()
    with pytest.raises(ProtocolError, match="digest"):
        rig.say(root.session, wire.Source(1, "m", "module", "/m.py", digest(OLD)), [NEW])
    with pytest.raises(ProtocolError, match="wrong source"):
        rig.say(root.session, wire.Source(1, "m", "magic", "/m.py", digest(OLD)), [OLD])
    big = bytes(10_000_001)
    with pytest.raises(ProtocolError, match="too large"):
        rig.say(root.session, wire.Source(1, "m", "module", "/m.py", digest(big)), [big])
    with pytest.raises(ProtocolError, match="not an environment"):
        rig.say(root.session, wire.Source(1, "e", "environment", "", digest(OLD)), [OLD])
    data = environment("3.11.7")
    with pytest.raises(ProtocolError, match="only the root"):
        rig.say(worker.session, wire.Source(1, "e", "environment", "", digest(data)), [data])
    assert kinds(rig) == [Kind.MEMBER] * kinds(rig).count(Kind.MEMBER)


# ---- versions ----------------------------------------------------------------------------------


def environment(python: str, complete: bool = False, **packages: str) -> bytes:
    return msgspec.msgpack.encode(wire.Environment(python, "cpython", packages, complete))


def uses(root: FakePeer, data: bytes) -> None:
    root.keep(wire.Source(root.number(), "environment", "environment", "", digest(data)), [data])
    root.rig.commit()


def test_versions_are_recorded_and_shown() -> None:
    rig = Rig()
    root = rig.root()
    assert figures.stats(rig.broker)["environment"] is None
    uses(root, environment("3.11.7"))
    uses(root, environment("3.11.7", complete=True, numpy="2.1.0"))
    uses(root, environment("3.11.7"))  # a root that was started again says less at first
    found = figures.stats(rig.broker)["environment"]
    assert found["packages"] == {"numpy": "2.1.0"}
    assert found["complete"]
    assert kinds(rig).count(Kind.ENVIRONMENT) == 1
    rig.restart()
    assert figures.stats(rig.broker)["environment"] == found


def test_versions_of_before_a_resume_are_not_those_of_now() -> None:
    rig = Rig()
    uses(rig.root(), environment("3.11.7", complete=True, numpy="2.1.0"))
    rig.restart(resume=True)
    assert figures.stats(rig.broker)["environment"] is None
    assert rig.broker.book.code.environment is not None  # for the warning
    uses(rig.root(), environment("3.12.1"))
    assert figures.stats(rig.broker)["environment"]["python"] == "3.12.1"


def test_a_machine_that_does_not_join_is_remembered_until_it_does() -> None:
    rig = Rig()
    root = rig.root()
    computes(root)
    agent = rig.agent()
    agent.say(wire.AskStatus("it has numpy 1"))
    assert figures.stats(rig.broker)["turned_away"] == {"host": "it has numpy 1"}
    assert "host was turned away: it has numpy 1" in figures.stats(rig.broker)["waiting"]
    rig.worker()
    assert figures.stats(rig.broker)["turned_away"] == {}
