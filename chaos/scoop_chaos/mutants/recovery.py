"""Mistakes in what is recorded, recovered and found again: book, replay, families, journal."""

from __future__ import annotations

from .mutant import Mutant

_BOOK = "scoop_ft.broker.book:Book"
_REPLAY = "scoop_ft.broker.replay"
_PARENT = "scoop_ft.broker.from_parent"
_HELLO = "scoop_ft.broker.hello"
_BLOCK = "scoop_ft.broker.families:_Block"
_BATCH = "scoop_ft.broker.tasks:Batch"
_MEMORY = "scoop_journal.memory:MemoryJournal"

REPLAYING = (
    Mutant(
        "wrong-ordinal-on-replay",
        "A child that a replay finds elsewhere is bound to the ordinal it had.",
        f"{_REPLAY}:_bind",
        "(m.first + start, stop - start, older.id, at)",
        "(older.first + at, stop - start, older.id, at)",
    ),
    Mutant(
        "arguments-not-compared",
        "The same function at the same ordinal is taken for the same call.",
        "scoop_ft.broker.content:_all_same",
        "return bytes(a.payload[lo:stop]) == bytes(b.payload[lo:stop])",
        "return True",
    ),
    Mutant(
        "functions-not-compared",
        "The same arguments at the same ordinal are taken for the same call.",
        "scoop_ft.broker.content:_all_same",
        "if a.function(i) != b.function(j) or lo != other:",
        "if lo != other:",
    ),
    Mutant(
        "not-found-by-content",
        "Children in another order are computed again.",
        f"{_REPLAY}:_match_by_content",
        "pool = _unclaimed_by_content(b, family)",
        "pool = {}",
    ),
    Mutant(
        "said-again-is-not-served",
        "A batch that is said again is known, and its results are not sent again.",
        f"{_PARENT}:_serve_again",
        "b.serve(segment.batch, segment.index, stop, again=True)",
        "pass",
    ),
    Mutant(
        "anybody-may-submit",
        "A process that does not run the parent any more adds to its children.",
        f"{_PARENT}:on_submit",
        "if not _may_submit(b, peer, m, header, frames):",
        "if False:",
    ),
    Mutant(
        "bind-is-not-recorded",
        "Where a replay has found its children is known in memory only.",
        f"{_REPLAY}:_bind",
        "b.append(Kind.BIND, records.encode(message))",
        "0",
    ),
    Mutant(
        "doubles-are-not-void",
        "Those tasks of a replayed batch that are older ones are queued as well.",
        f"{_REPLAY}:_bind",
        "sorted((start, stop) for start, stop, _, _ in bound) if batch is not None else []",
        "[]",
    ),
    Mutant(
        "claims-survive-the-parent",
        "What a parent's last run has submitted counts as submitted by its next one.",
        "scoop_ft.broker.core:Broker.orphan_family",
        "family.unclaim()",
        "pass",
    ),
    Mutant(
        "hello-claims-nothing",
        "What a parent says it has submitted is not claimed when its process comes back.",
        f"{_HELLO}:_take_hosting",
        "family.claim(segment.batch, segment.index, segment.index + segment.count)",
        "pass",
    ),
    Mutant(
        "segment-before-is-missed",
        "The segment in which a range of ordinals begins is passed over.",
        f"{_BLOCK}.overlapping",
        "max(bisect_right(self._firsts, start) - 1, 0)",
        "bisect_right(self._firsts, start)",
    ),
    Mutant(
        "rest-of-a-cut-is-lost",
        "Where a new child cuts a segment, what stands behind it is lost too.",
        f"{_BLOCK}.cut",
        "for a, b in ((old.first, start), (stop, old.stop)) if a < b",
        "for a, b in ((old.first, start),) if a < b",
    ),
    Mutant(
        "half-claimed-is-claimed",
        "A batch of which one task is claimed counts as claimed.",
        f"{_BATCH}.claim",
        "if self.claimed.count(1) == self.count:",
        "if True:",
    ),
    Mutant(
        "pool-outlives-the-run",
        "What was unclaimed in a parent's last run is offered to its next one.",
        "scoop_ft.broker.families:Family.unclaim",
        "self.pool = None",
        "pass",
    ),
)

RECORDING = (
    Mutant(
        "results-out-of-order",
        "Results are kept in the order in which they came.",
        f"{_BOOK}.apply_results",
        "insort(batch.results, (a, b, seq, 1 + len(m.buffers)))",
        "batch.results.append((a, b, seq, 1 + len(m.buffers)))",
    ),
    Mutant(
        "descendants-outlive",
        "A completed parent's children stay.",
        f"{_BOOK}._finish",
        "self._drop_family(task_id(batch.id, index))",
        "pass",
    ),
    Mutant(
        "grandchildren-outlive",
        "A completed parent's children are dropped, and theirs are not.",
        f"{_BOOK}._drop_batch",
        "return [task_id(batch.id, index) for index in batch.families]",
        "return []",
    ),
    Mutant(
        "result-records-stay",
        "When a batch is dropped, the records of its results stay in the journal.",
        f"{_BOOK}._drop_batch",
        "self._dropped.extend(results.items())",
        "pass",
    ),
    Mutant(
        "failed-parent-loses-children",
        "A failed parent's children are dropped, so that they are computed again on resume.",
        f"{_BOOK}._finish",
        "batch.move(index, index + 1, _STATE_OF[Status(how)])",
        "batch.move(index, index + 1, _STATE_OF[Status(how)]); "
        "self._drop_family(task_id(batch.id, index)); batch.families.discard(index)",
    ),
    Mutant(
        "failures-are-not-retried",
        "What had failed when a run is resumed stays failed.",
        f"{_BOOK}.apply_retry",
        "if state in (FAILED, CANCELLED):",
        "if state == CANCELLED:",
    ),
    Mutant(
        "resume-is-not-recorded",
        "That failures are tried again is not recorded: the next broker does not know it.",
        "scoop_ft.broker.core:Broker.recover",
        'self.append(Kind.RETRY, b"")',
        "0",
    ),
    Mutant(
        "crashes-survive-resume",
        "Crashes of before a resume count on.",
        f"{_BOOK}.apply_retry",
        "batch.attempts = NONE_COUNTED",
        "pass",
    ),
    Mutant(
        "live-constant-deleted",
        "When a constant is set anew, the new record is dropped and not the old one.",
        f"{_BOOK}.apply_const",
        "self._dropped.append(older)",
        "self._dropped.append((seq, 1 + len(m.buffers)))",
    ),
)

JOURNAL = (
    Mutant(
        "commit-loses-a-record",
        "The last record of each commit is not written.",
        f"{_MEMORY}._store",
        "self._stored.records.update(staging.records)",
        "self._stored.records.update(list(staging.records.items())[:-1])",
    ),
    Mutant(
        "commit-forgets-what-found-no-room",
        "What found no room on a full disk is forgotten.",
        "scoop_journal.base:BaseJournal.commit",
        "self._store(self._staging)",
        "staging, self._staging = self._staging, type(self._staging)(self._staging.next_seq); "
        "self._store(staging)",
    ),
    Mutant(
        "deletions-go-first",
        "A commit that finds no room writes its deletions, and not what made them right.",
        f"{_MEMORY}._store",
        "if staging.bytes > self.free_bytes():",
        "for start, stop in staging.deletions:\n        self._delete(start, stop)\n    "
        "if staging.bytes > self.free_bytes():",
    ),
    Mutant(
        "deletes-the-next-one",
        "With a record the one behind it is deleted.",
        f"{_MEMORY}._delete",
        "doomed = [seq for seq in range(start, stop) if seq in records]",
        "doomed = [seq for seq in range(start, stop + 1) if seq in records]",
    ),
    Mutant(
        "deletions-are-not-written",
        "A commit writes its records and forgets its deletions.",
        f"{_MEMORY}._store",
        "self._delete(start, stop)",
        "pass",
    ),
)

RECOVERY = (*REPLAYING, *RECORDING, *JOURNAL)
