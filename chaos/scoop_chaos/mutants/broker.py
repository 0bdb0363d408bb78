"""Mistakes in what the broker decides: queueing, delivering, cancelling, acknowledging, time."""

from __future__ import annotations

from .mutant import Mutant

_CORE = "scoop_ft.broker.core:Broker"
_COPIES = "scoop_ft.broker.copies:Copies"
_DISPATCH = "scoop_ft.broker.dispatch:Dispatcher"
_SERVER = "scoop_ft.broker.server:Server"
_CANCELLING = "scoop_ft.broker.cancelling"
_HELLO = "scoop_ft.broker.hello"
_WORKER = "scoop_ft.broker.from_worker"
_AGENT = "scoop_ft.broker.from_agent"
_TIMING = "scoop_ft.broker.timing"
_DELIVERY = "scoop_ft.broker.delivery"

QUEUEING = (
    Mutant(
        "forget-to-requeue",
        "What a lost worker held is put back, and nobody queues it.",
        f"{_DISPATCH}.take_all",
        "broker.requeue(batch, a, b, first=True)",
        "batch.move_all(a, b, LEASED, HELD)",
    ),
    Mutant(
        "returned-is-not-requeued",
        "A span handed back after a recall is released and never queued again.",
        f"{_WORKER}:on_returned",
        "b.requeue(batch, first, end, first=True)",
        "pass",
    ),
    Mutant(
        "lost-on-the-way",
        "What was sent to a worker on a connection that broke is not queued again.",
        f"{_HELLO}:_take_holdings",
        "b.resubmitted += b.requeue(batch, a, z, first=True)",
        "b.resubmitted += 0",
    ),
    Mutant(
        "holding-not-leased",
        "What a worker says it holds after a reconnect is not leased to it again.",
        f"{_HELLO}:_take_holdings",
        "b.dispatcher.lease(peer, batch, low, high)",
        "pass",
    ),
    Mutant(
        "orphans-stay-queued",
        "The children of a parent that runs nowhere stay in the queue.",
        f"{_CORE}.orphan_family",
        "batch.move_all(0, batch.count, QUEUED, HELD)",
        "pass",
    ),
    Mutant(
        "suspect-not-alone",
        "A task that may kill workers is run while its worker has others.",
        f"{_DISPATCH}.dispatch",
        "peer.isolated = True",
        "peer.isolated = False",
    ),
    Mutant(
        "neighbours-of-suspect-lost",
        "When a suspect is put aside, the tasks before it leave the queue too.",
        "scoop_ft.broker.ready:Ready._split_suspects",
        "self._spans.appendleft((batch, start, index))",
        "pass",
    ),
    Mutant(
        "function-sent-once-for-ever",
        "A function counts as sent though the connection that carried it broke.",
        f"{_HELLO}:_admit",
        "peer.acked = peer.seen = 0",
        "peer.functions = old.functions",
    ),
    Mutant(
        "stopped-worker-keeps-work",
        "A stopped worker is given nothing more, but what it holds waits for it.",
        f"{_AGENT}:on_heartbeat",
        "b.dispatcher.take_all(worker)",
        "pass",
    ),
    Mutant(
        "never-wakes-stopped-worker",
        "A worker that goes on after a stop is never given anything again.",
        f"{_AGENT}:on_heartbeat",
        "worker.suspended = False",
        "pass",
    ),
)

RESULTS = (
    Mutant(
        "no-room-then-never",
        "A result for which there was no room is forgotten.",
        f"{_DELIVERY}:Delivery._deliver_stretch",
        "host.unsent.append((batch.id, c, stop))",
        "pass",
    ),
    Mutant(
        "room-for-one-more-only",
        "What waits behind the first results for which there is room again is forgotten.",
        f"{_DELIVERY}:Delivery.go_on",
        "host.unsent.extend(waiting)",
        "pass",
    ),
    Mutant(
        "forward-before-dedup",
        "Results are passed on before those that are there already are dropped.",
        f"{_WORKER}:on_results",
        "fresh = b.record_results(m, header, frames)",
        "b.delivery.forward(batch, m, frames, m.ranges, peer.session); "
        "fresh = b.record_results(m, header, frames)",
    ),
    Mutant(
        "late-result-passed-on",
        "A late duplicate is dropped from the journal, and passed on all the same.",
        f"{_WORKER}:on_results",
        "b.delivery.forward(batch, m, frames, fresh, peer.session)",
        "b.delivery.forward(batch, m, frames, m.ranges, peer.session)",
    ),
    Mutant(
        "late-result-recorded",
        "A late duplicate is appended to the journal, where nothing needs it.",
        f"{_CORE}.record_results",
        "if batch is None or not awaited:",
        "if batch is None:",
    ),
    Mutant(
        "late-result-lost",
        "A result for a task that was queued again does not count.",
        "scoop_ft.broker.book:Book.apply_results",
        "if state in UNFINISHED:",
        "if state in UNFINISHED and state != 1:",
    ),
    Mutant(
        "orphan-result-dropped",
        "A result that comes before its batch, after a restart, is dropped.",
        f"{_WORKER}:_without_batch",
        "if b.grace_until:",
        "if False:",
    ),
    Mutant(
        "delivered-to-the-unready",
        "Results are passed on to a parent whose new run has not submitted their tasks yet.",
        f"{_DELIVERY}:Delivery.forward",
        "if batch.intact and batch.claimed is None and fresh == message.ranges:",
        "if batch.intact and fresh == message.ranges:",
    ),
    Mutant(
        "passed-on-at-the-old-place",
        "A live result goes to the ordinal that its task had before a replay moved it.",
        f"{_DELIVERY}:Delivery.forward",
        "if batch.intact and batch.claimed is None and fresh == message.ranges:",
        "if batch.claimed is None and fresh == message.ranges:",
    ),
    Mutant(
        "slice-from-the-beginning",
        "A slice of recorded results is cut from the beginning of the record.",
        f"{_DELIVERY}:Delivery._send_slice",
        "base = ends[position - 1] if position else 0",
        "base = 0",
    ),
    Mutant(
        "record-before-is-missed",
        "Of several records of one batch, the one in which a slice begins is passed over.",
        f"{_DELIVERY}:_entries",
        "max(bisect_left(batch.results, (start, 0, 0, 0)) - 1, 0)",
        "bisect_left(batch.results, (start, 0, 0, 0))",
    ),
    Mutant(
        "done-is-not-served",
        "A replayed parent is not sent the results that are recorded.",
        f"{_CORE}.serve",
        "self.delivery.deliver(batch, a, z)",
        "pass",
    ),
    Mutant(
        "never-says-synced",
        "Parents are never told that what they were given is synced.",
        f"{_DELIVERY}:Delivery._send",
        "self._broker.sync_due.add(family.host)",
        "pass",
    ),
    Mutant(
        "gaps-ignored",
        "A result's place in its record is reckoned as if the record had no gaps.",
        "scoop_ft.broker.slices:position_in",
        "return before + index - start",
        "return index - ranges[0][0]",
    ),
)

CANCELLING = (
    Mutant(
        "cancelled-without-asking",
        "A child that runs is said to be cancelled before its worker has answered.",
        f"{_CANCELLING}:_cancel_segment",
        "request.asked[batch.id, index] = index + shift",
        "request.asked[batch.id, index] = index + shift; "
        "request.done.append((index + shift, index + shift + 1))",
    ),
    Mutant(
        "cancel-waits-for-ever",
        "A worker that died before it answered keeps a cancellation waiting.",
        f"{_TIMING}:on_tick",
        "if now >= request.deadline:",
        "if False:",
    ),
    Mutant(
        "wrong-child-cancelled",
        "A cancelled task is named by its place in the batch, not by its ordinal.",
        "scoop_ft.broker.from_worker:on_returned",
        "cancel.done.append((ordinal, ordinal + 1))",
        "cancel.done.append((index, index + 1))",
    ),
)

SYNCING = (
    Mutant(
        "acknowledge-before-sync",
        "Acknowledgements leave before the commit that they vouch for.",
        f"{_SERVER}.commit",
        "self._broker.drop_records()",
        "self._broker.drop_records(); self._broker.on_committed(); self._send_all()",
    ),
    Mutant(
        "acknowledge-on-a-full-disk",
        "A commit that found no room is taken for one that succeeded.",
        f"{_SERVER}.commit",
        "return False",
        "pass",
    ),
    Mutant(
        "acknowledge-what-waits",
        "A message that waits for its batch is acknowledged with those after it.",
        "scoop_ft.broker.peers:Peer.settled",
        "return min(self.unsettled) - 1 if self.unsettled else self.seen",
        "return self.seen",
    ),
    Mutant(
        "forget-to-acknowledge",
        "A session with a message that waits is not acknowledged later either.",
        f"{_CORE}.on_committed",
        "self._ack_due.add(session)",
        "pass",
    ),
    Mutant(
        "intake-on-a-full-disk",
        "New work is taken in though the disk is full.",
        f"{_CORE}.on_message",
        "if n and self.full and type(message) in _INTAKE:",
        "if False:",
    ),
    Mutant(
        "overtaken-on-a-full-disk",
        "What follows a message that was turned away is taken in, and acknowledged.",
        f"{_CORE}.on_message",
        "if session in self.refused and type(message) is not wire.Credit:",
        "if False:",
    ),
    Mutant(
        "room-is-not-told",
        "Who was turned away while the disk was full is not asked to say it again.",
        f"{_CORE}.on_room",
        "self.send(session, wire.Unknown())",
        "pass",
    ),
    Mutant(
        "record-never-dropped",
        "What nothing needs any more stays in the journal.",
        f"{_CORE}.drop_records",
        "self.journal.delete(seq, count)",
        "pass",
    ),
)

TIME = (
    Mutant(
        "jump-expires-leases",
        "After a jump of the clock everybody is late.",
        f"{_TIMING}:pass_to",
        "if slept > JUMP_S:",
        "if False:",
    ),
    Mutant(
        "no-grace",
        "A restarted broker does not wait for the workers of before.",
        f"{_CORE}.recover",
        "self.grace_until = now + timing.GRACE_S",
        "self.grace_until = now",
    ),
    Mutant(
        "grace-without-end",
        "A restarted broker waits for workers that will not come back.",
        f"{_TIMING}:on_tick",
        "if now >= b.grace_until:",
        "if False:",
    ),
    Mutant(
        "lost-worker-keeps-work",
        "A worker that cannot be reached keeps its work for ever.",
        f"{_TIMING}:_look_at_worker",
        "if not peer.connected and now - peer.lost_at > LOST_S:",
        "if False:",
    ),
)

MEMBERS = (
    Mutant(
        "blames-who-leaves",
        "A task is blamed for a worker that left of its own will.",
        f"{_AGENT}:on_gone",
        "crashed = died and m.session not in b.book.dead",
        "crashed = m.session not in b.book.dead",
    ),
    Mutant(
        "blames-the-neighbour",
        "The first task of the batch is blamed, not the one that ran.",
        f"{_AGENT}:_blame",
        "batch, index = found",
        "batch, index = found[0], 0",
    ),
    Mutant(
        "death-told-again-counts-again",
        "A worker's death that is told to a broker again is blamed on its task once more.",
        f"{_AGENT}:on_gone",
        "and m.session not in b.book.dead",
        "",
    ),
    Mutant(
        "one-attempt-too-many",
        "A task may kill one worker more than the limit says.",
        f"{_AGENT}:_blame",
        "if attempts < b.max_attempts:",
        "if attempts <= b.max_attempts:",
    ),
    Mutant(
        "one-attempt-too-few",
        "A task is given up one attempt before the limit.",
        f"{_AGENT}:_blame",
        "if attempts < b.max_attempts:",
        "if attempts < b.max_attempts - 1:",
    ),
    Mutant(
        "crash-is-not-recorded",
        "A crash counts in memory only.",
        f"{_AGENT}:_blame",
        "b.append(Kind.CRASH, records.encode(crash))",
        "0",
    ),
    Mutant(
        "gone-keeps-its-leases",
        "The leases of a process that has ended stay with it.",
        f"{_AGENT}:on_gone",
        "b.dispatcher.take_all(worker)",
        "pass",
    ),
    Mutant(
        "member-is-not-recorded",
        "That a worker has joined is not recorded.",
        f"{_CORE}.record_member",
        "self.append(Kind.MEMBER, records.encode(member))",
        "0",
    ),
    Mutant(
        "old-root-keeps-its-children",
        "What the root of before has submitted is asked for in the name of the new one.",
        f"{_HELLO}:take_over",
        "b.orphan_family(ROOT_ID)",
        "pass",
    ),
    Mutant(
        "busy-with-its-own",
        "A worker that has told of its own tasks does not say that it is idle after them.",
        "scoop_ft.worker.session:WorkerSession._tell",
        "self._idle_said = False  # the broker takes who claims tasks to be busy",
        "pass",
    ),
)

COPIES = (
    Mutant(
        "copied-again-and-again",
        "What has had a copy gets another.",
        f"{_COPIES}._may_be_copied",
        "(batch.id, index) in self._had or ",
        "",
    ),
)

BROKER = (*QUEUEING, *RESULTS, *CANCELLING, *SYNCING, *TIME, *MEMBERS, *COPIES)
