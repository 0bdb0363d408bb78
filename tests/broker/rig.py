"""A broker without I/O: a journal in memory, a clock that is a number, and peers that are objects.

What the broker asks to be sent goes through the real codec and waits in the peer's inbox until the
peer handles it, so that a test decides what overtakes what.  The rig checks the whole state of the
broker after each message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scoop_journal import MemoryJournal

from scoop_ft.broker import figures, gathering, places
from scoop_ft.broker.core import Broker
from scoop_ft.broker.invariants import violations
from scoop_ft.broker.ports import Ref
from scoop_ft.broker.records import Edit
from scoop_ft.ids import digest
from scoop_ft.wire.codec import Buffer, decode_from_broker, decode_from_peer, encode
from scoop_ft.wire.messages import PLAIN, Idle, Message, Options

from .peers import FakeAgent, FakePeer, FakeRoot, FakeWorker

RUN = "a-run"


class Rig:
    """One run: its journal, its present broker, and all who speak to it."""

    def __init__(
        self,
        *,
        max_attempts: int = 3,
        checked: bool = True,
        gather_from: int = gathering.LEAST,
        place_from: int = places.LEAST,
    ) -> None:
        self.journal = MemoryJournal(RUN)
        self.now = 100.0
        self.max_attempts = max_attempts
        self.checked = checked
        self.gather_from = gather_from
        self.place_from = place_from
        self.incarnation = 0
        self.peers: dict[bytes, FakePeer] = {}
        self.sessions = 0
        self.ran: list[bytes] = []  # the arguments of tasks, as they were run
        self.begun: list[bytes] = []  # their ids
        self.options_of: Callable[[int], Options] = lambda first: PLAIN  # of the root's batches
        self.start()

    # ---- the broker's life -----------------------------------------------------------------

    def start(self, *, resume: bool = False, edits: Sequence[Edit] = ()) -> None:
        """Start a broker on the journal, as its process does."""
        self.incarnation += 1
        self.broker = Broker(
            self.journal, RUN, {"seed": 7}, max_attempts=self.max_attempts,
            incarnation=self.incarnation, gather_from=self.gather_from,
            place_from=self.place_from,
        )  # fmt: skip
        self.broker.recover(self.journal.scan(), resume=resume, now=self.now, edits=edits)
        self.journal.commit()
        self.check()

    def restart(self, *, resume: bool = False, edits: Sequence[Edit] = ()) -> None:
        """Kill the broker, losing what was not committed, and start another."""
        self.journal.crash()
        for peer in self.peers.values():
            peer.disconnected()
        self.start(resume=resume, edits=edits)

    def commit(self) -> None:
        """Commit and let the broker acknowledge."""
        self.flush()
        self.broker.drop_records()
        self.journal.commit()
        self.broker.on_committed()
        self.flush()

    def tick(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + step, end)
            self.broker.on_tick(self.now)
            self.flush()

    def check(self) -> None:
        """Look at the whole state."""
        if self.checked:
            found = violations(self.broker)
            assert not found, "\n".join(found)

    # ---- messages --------------------------------------------------------------------------

    def say(self, session: bytes, message: Message, frames: Sequence[Buffer] = ()) -> None:
        """A peer says something, over the wire."""
        header = encode(message)
        decoded = decode_from_peer(header, frames)
        self.broker.on_message(session, decoded, header, frames, self.now)
        self.check()

    def dispatch(self) -> None:
        """Let the broker give out what is queued."""
        self.broker.dispatch()
        self.flush()

    def flush(self) -> None:
        """Bring what the broker asked to be sent to those who are connected."""
        while outbox := self.broker.take_outbox():
            for send in outbox:
                frames = [self.resolve(frame) for frame in send.frames]
                decoded = decode_from_broker(encode(send.message), frames)
                peer = self.peers.get(send.session)
                if peer is not None and peer.connected:
                    peer.inbox.append((decoded, frames))
                else:
                    self.broker.on_disconnect(send.session, self.now)
        self.check()

    def resolve(self, frame: Any) -> bytes:
        """Return a frame's bytes, read from the journal where they are a reference."""
        if type(frame) is not Ref:
            return bytes(frame)
        with self.journal.reading() as view:
            record = view.record(frame.seq)
            if frame.buffer is not None:
                return bytes(record.buffers[frame.buffer])
            return bytes(record.payload[frame.start : frame.stop])

    def settle(self, *, commit: bool = True, work: bool = True) -> None:
        """Go on until nobody has anything to do."""
        active, rounds = True, 0
        while active:
            rounds += 1
            assert rounds < 2_000, "they talk for ever"
            active = False
            self.dispatch()
            if commit and (self.journal.dirty or self.broker.acks_due()):
                self.commit()
                active = True
            for peer in list(self.peers.values()):
                if peer.awake and peer.inbox:
                    peer.handle()
                    active = True
                if work and isinstance(peer, FakeWorker) and peer.awake and peer.queue:
                    peer.step()
                    active = True
                peer.rest()
                active = active or bool(self.broker.outbox)

    # ---- who is there ----------------------------------------------------------------------

    def new_session(self) -> bytes:
        """Name a process."""
        self.sessions += 1
        return self.sessions.to_bytes(8, "big")

    def root(self) -> FakeRoot:
        """Start a root, in place of the one before."""
        for peer in [p for p in self.peers.values() if p.role == "root"]:
            self.vanish(peer)
        return self._join(FakeRoot(self, self.new_session()))

    def agent(self) -> FakeAgent:
        """Start an agent."""
        return self._join(FakeAgent(self, self.new_session()))

    def worker(self, agent: FakeAgent | None = None, **resources: int) -> FakeWorker:
        """Start a worker."""
        worker = FakeWorker(self, self.new_session())
        worker.resources = resources
        worker.agent = agent.session if agent is not None else b""
        return self._join(worker)

    def _join(self, peer: Any) -> Any:
        self.peers[peer.session] = peer
        peer.connect()
        self.flush()
        peer.handle()
        peer.rest()
        return peer

    def vanish(self, peer: FakePeer) -> None:
        """A process is killed: its connection breaks."""
        peer.disconnected()
        self.peers.pop(peer.session, None)
        self.broker.on_disconnect(peer.session, self.now)
        self.check()

    def cut(self, peer: FakePeer) -> None:
        """A connection breaks, and the broker sees it."""
        peer.disconnected()
        self.broker.on_disconnect(peer.session, self.now)
        self.check()

    @property
    def stats(self) -> dict[str, Any]:
        """Return the numbers of tasks."""
        return figures.stats(self.broker)["tasks"]


def function(name: str) -> tuple[bytes, bytes]:
    """Return the digest and the pickle of a function that never was one."""
    blob = b"pickle of " + name.encode()
    return digest(blob), blob


def taken(rig: Rig, worker: FakeWorker, count: int) -> None:
    """Let a worker take so many tasks, none of them begun."""
    rig.dispatch()
    worker.handle()
    for _ in range(count):
        if len(worker.queue) >= count:
            return
        worker.say(Idle(worker.runs))
        rig.dispatch()
        worker.handle()
    assert len(worker.queue) >= count
