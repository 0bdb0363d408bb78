"""Any sequence of calls, with crashes between them, against a model made of two dictionaries."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from scoop_journal import Journal, MemoryJournal, verify
from scoop_journal.base import BaseJournal

Content = tuple[int, bytes, bytes, list[bytes]]
NAMES = st.sampled_from([b"a", b"b", b"c" * 511])
#: Small ones share a page, large ones have pages of their own.
BYTES = st.one_of(st.binary(max_size=30), st.builds(bytes, st.sampled_from([2030, 4096, 9000])))


class AgainstTheModel(RuleBasedStateMachine):
    """The journal on disk, its twin in memory and the model see the same."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-model-"))
        self.disk = Journal.create(self.folder / "journal", "a-run", map_size=1 << 16)
        self.memory = MemoryJournal("a-run")
        self.committed: dict[int, Content] = {}
        self.staged: dict[int, Content] = {}
        self.deleted: set[int] = set()
        self.blobs: dict[bytes, bytes] = {}
        self.staged_blobs: dict[bytes, bytes | None] = {}
        self.committed_next = self.next = 1

    @property
    def both(self) -> tuple[BaseJournal, BaseJournal]:
        return self.disk, self.memory

    @rule(
        kind=st.integers(1, 254), header=BYTES, payload=BYTES, buffers=st.lists(BYTES, max_size=3)
    )
    def append(self, kind: int, header: bytes, payload: bytes, buffers: list[bytes]) -> None:
        for journal in self.both:
            assert journal.append(kind, header, payload, buffers) == self.next
        self.staged[self.next] = (kind, header, payload, buffers)
        self.next += 1 + len(buffers)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        there = sorted({*self.committed, *self.staged} - self.deleted)
        if not there:
            return
        first = data.draw(st.integers(0, len(there) - 1))
        last = data.draw(st.integers(first, min(first + 5, len(there) - 1)))
        for journal in self.both:
            journal.delete(there[first], there[last] - there[first] + 1)
        for seq in there[first : last + 1]:
            if self.staged.pop(seq, None) is None:
                self.deleted.add(seq)

    @rule(name=NAMES, value=BYTES)
    def put_blob(self, name: bytes, value: bytes) -> None:
        for journal in self.both:
            journal.put_blob(name, value)
        self.staged_blobs[name] = value

    @rule(name=NAMES)
    def delete_blob(self, name: bytes) -> None:
        for journal in self.both:
            journal.delete_blob(name)
        self.staged_blobs[name] = None

    @rule()
    def commit(self) -> None:
        for journal in self.both:
            assert journal.commit() == self.next - 1
        self.committed.update(self.staged)
        for seq in self.deleted:
            del self.committed[seq]
        for name, value in self.staged_blobs.items():
            if value is None:
                self.blobs.pop(name, None)
            else:
                self.blobs[name] = value
        self.committed_next = self.next
        self._forget_staged()

    @rule()
    def crash(self) -> None:
        path = self.disk.path
        self.disk.close()
        report = verify(path)
        assert report.ok, report.problem
        assert (report.records, report.blobs) == (len(self.committed), len(self.blobs))
        self.disk = Journal.open(path, map_size=1 << 16)
        self.memory.crash()
        self.next = self.committed_next
        self._forget_staged()

    @precondition(lambda self: hasattr(self, "disk"))
    @invariant()
    def all_see_the_same(self) -> None:
        for journal in self.both:
            assert journal.last_seq == self.next - 1
            found = {seq: _plain(record) for seq, record in journal.scan()}
            assert found == self.committed
            assert list(found) == sorted(found)
            with journal.reading() as view:
                for seq, content in {**self.committed, **self.staged}.items():
                    assert _plain(view.record(seq)) == content
            for name in (b"a", b"b", b"c" * 511):
                expected = self.staged_blobs.get(name, self.blobs.get(name))
                if name in self.staged_blobs:
                    expected = self.staged_blobs[name]
                assert journal.blob(name) == expected
        assert self.disk.staged_bytes == self.memory.staged_bytes
        assert self.disk.dirty == self.memory.dirty

    def teardown(self) -> None:
        self.disk.close()
        shutil.rmtree(self.folder)

    def _forget_staged(self) -> None:
        self.staged.clear()
        self.deleted.clear()
        self.staged_blobs.clear()


def _plain(record: tuple[int, bytes, memoryview, list[memoryview]]) -> Content:
    kind, header, payload, buffers = record
    return kind, header, bytes(payload), [bytes(buffer) for buffer in buffers]


TestAgainstTheModel = AgainstTheModel.TestCase
TestAgainstTheModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
