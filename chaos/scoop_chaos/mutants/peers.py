"""Mistakes at the broker's other end: sessions, workers, agents, and which connection counts."""

from __future__ import annotations

from .mutant import Mutant

_SESSION = "scoop_ft.client.session:Session"
_WORKER = "scoop_ft.worker.session:WorkerSession"
_QUEUE = "scoop_ft.worker.spans:Queue"
_CREW = "scoop_ft.worker.runner:Crew"
_AGENT = "scoop_ft.launch.agent:Agent"
_ROUTES = "scoop_ft.broker.routes:Routes"

SESSIONS = (
    Mutant(
        "no-room-for-who-waits",
        "Who waits for a result gets it only when those that lie there were taken.",
        "scoop_ft.client.room:Room.credit",
        "self.size if self.waits else self.size - held",
        "self.size - held",
    ),
    Mutant(
        "given-back-too-late",
        "What a dead broker had passed on comes to the next one after what was made of it.",
        f"{_SESSION}._renumber",
        "if unsynced and (not kept or kept[0][0] > unsynced[0][0]):",
        "if unsynced and not kept:",
    ),
    Mutant(
        "never-given-back",
        "What a dead broker had passed on and not synced is not kept.",
        f"{_SESSION}._on_deliver",
        "self._unsynced.append((self._n, m, frames))",
        "pass",
    ),
    Mutant(
        "nothing-said-again",
        "What was not acknowledged is not said again on a new connection.",
        f"{_SESSION}._on_welcome",
        "self.outbox = [(message, parts) for _, message, parts, _, _ in self._unacknowledged]",
        "self.outbox = []",
    ),
    Mutant(
        "said-again-backwards",
        "What was not acknowledged is said again with the newest first.",
        f"{_SESSION}._on_welcome",
        "for _, message, parts, _, _ in self._unacknowledged]",
        "for _, message, parts, _, _ in reversed(self._unacknowledged)]",
    ),
    Mutant(
        "acknowledged-one-too-many",
        "An acknowledgement ends the keeping of one message more than it names.",
        f"{_SESSION}._on_ack",
        "kept[0].n <= m.n:",
        "kept[0].n <= m.n + 1:",
    ),
    Mutant(
        "hello-without-parents",
        "A process that comes back does not say which parents run in it.",
        f"{_SESSION}.hello",
        "if scope.alive and self.is_recorded(scope)",
        "if False",
    ),
    Mutant(
        "hello-claims-what-is-on-its-way",
        "A process that comes back claims children that it is about to submit again.",
        f"{_SESSION}.hello",
        "until.get(scope.task, scope.submitted())",
        "scope.submitted()",
    ),
    Mutant(
        "request-asked-once",
        "A request whose answer was lost with its connection is not asked again.",
        f"{_SESSION}._on_welcome",
        "self.outbox += [(message, ()) for message in self._asked.values()]",
        "pass",
    ),
    Mutant(
        "stays-unknown",
        "A process that the broker does not know does not begin anew.",
        f"{_SESSION}._on_unknown",
        "self.reconnect = True",
        "pass",
    ),
    Mutant(
        "older-connection-wins",
        "A hello that comes late, on an older connection, takes the session with it.",
        "scoop_ft.broker.routes:Routes.meet",
        "if number < self._numbers.get(session, 0):",
        "if False:",
    ),
    Mutant(
        "given-back-with-wrong-ends",
        "A slice that is given back keeps the offsets of the record it was cut from.",
        "scoop_ft.client.session:_give_back",
        "if m.base:",
        "if False:",
    ),
)

WORKERS = (
    Mutant(
        "recall-drops",
        "A recalled span is taken out of the queue, and the broker is not told.",
        f"{_WORKER}._on_recall",
        "spans.append((span.batch, start, stop))",
        "pass",
    ),
    Mutant(
        "recall-names-the-wrong-end",
        "A recalled span is taken from one end of a piece, and named as the other.",
        f"{_QUEUE}.recall",
        "taken.append((last.span, last.stop - count, last.stop))",
        "taken.append((last.span, last.next, last.next + count))",
    ),
    Mutant(
        "drop-is-not-answered",
        "What is dropped because somebody gave it up is not handed back.",
        f"{_WORKER}._on_drop",
        "taken += self.queue.drop(batch, start, stop, claimed=not m.recall)",
        "self.queue.drop(batch, start, stop, claimed=not m.recall)",
    ),
    Mutant(
        "running-is-not-held",
        "A worker that comes back does not name what it runs.",
        f"{_WORKER}.holding",
        "for span, index in list(self.running.values())  # the main thread goes on",
        "for span, index in ()",
    ),
    Mutant(
        "claims-what-was-handed-back",
        "A batch that is said again claims what was recalled from it meanwhile.",
        f"{_WORKER}.again",
        "return msgspec.structs.replace(message, claimed=_merged(held))",
        "return message",
    ),
    Mutant(
        "idle-said-once",
        "A worker that was idle before a reconnect does not say so again.",
        f"{_WORKER}.connect",
        "self._idle_said = False",
        "pass",
    ),
    Mutant(
        "runs-counted-on",
        "A worker counts the spans of all its connections, the broker those of one.",
        f"{_WORKER}.connect",
        "self._runs = 0",
        "pass",
    ),
    Mutant(
        "replay-asks-nobody",
        "The children of a parent that is run again are run without asking for their results.",
        f"{_WORKER}.close",
        "if scope.replayed or not scope.alive:",
        "if not scope.alive:",
    ),
    Mutant(
        "claimed-is-not-held",
        "A worker that comes back does not name what a runner has claimed.",
        f"{_QUEUE}.spans",
        "if claimed is not None and begin < claimed.stop:",
        "if False:",
    ),
    Mutant(
        "result-under-way-is-not-held",
        "A worker that comes back does not name the tasks whose results are not acknowledged.",
        f"{_WORKER}.holding",
        "for _, message, _, _, _ in self._unacknowledged",
        "for _, message, _, _ in ()",
    ),
    Mutant(
        "abandoned-results-are-dropped",
        "What is finished of a parent that is run elsewhere now is not reported.",
        "scoop_ft.worker.spans:Span.is_reported",
        "return scope is None or scope.alive or (scope.abandoned and self.closed is None)",
        "return scope is None or scope.alive",
    ),
    Mutant(
        "abandoned-goes-on-waiting",
        "A waiting task that nobody wants any more is not ended.",
        f"{_CREW}._abandon_some",
        "span.given_up += ranges  # one that runs now sees it when it next submits or waits",
        "pass",
    ),
)

AGENTS = (
    Mutant(
        "death-told-once",
        "A worker's death is said on the present connection, and forgotten.",
        f"{_AGENT}.exited",
        "self._unacknowledged.append(gone)",
        "pass",
    ),
    Mutant(
        "death-not-told-again",
        "Deaths that were not acknowledged are not told again on a new connection.",
        f"{_AGENT}.received",
        "return [Send(gone) for gone in self._unacknowledged]",
        "return []",
    ),
    Mutant(
        "reports-no-task",
        "The heartbeat says of busy workers that they run nothing.",
        "scoop_ft.launch.agent:_Worker.report",
        "task=sight.task,",
        'task=b"",',
    ),
    Mutant(
        "nobody-in-its-place",
        "A worker that died is not replaced.",
        f"{_AGENT}.exited",
        "worker, slot.worker = slot.worker, None",
        "worker = slot.worker",
    ),
    Mutant(
        "one-ack-for-all-deaths",
        "The acknowledgement of one death ends the keeping of all.",
        f"{_AGENT}.received",
        "[gone for gone in self._unacknowledged if gone.n > message.n]",
        "[]",
    ),
)

ROUTES = (
    Mutant(
        "both-connections-count",
        "What comes on a session's old connection is heard beside the new one.",
        f"{_ROUTES}.meet",
        "self._sessions.pop(old, None)",
        "pass",
    ),
)

PEERS = (*SESSIONS, *WORKERS, *AGENTS, *ROUTES)
