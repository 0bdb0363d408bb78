"""Mistakes that no seed has caught yet: what the simulator does not see, by name.

Each is a hole: what would show it happens too seldom, or nobody looks at it.  They are not among
those that must be caught; ``--missed`` hunts them.
"""

from __future__ import annotations

from .mutant import Mutant

MISSED = (
    Mutant(
        "late-result-beside-others",
        "A late duplicate is recorded with what came with it.",
        "scoop_ft.broker.core:Broker.record_results",
        "if awaited != message.ranges:",
        "if False:",
    ),
    Mutant(
        "waits-behind-its-state",
        "A call that is said again after a state is taken for one that the state stands for.",
        "scoop_ft.broker.from_parent:on_submit",
        "_serve_again(b, peer, m, header, frames)  # said again after the state: it waits for some",
        "pass",
    ),
    Mutant(
        "given-up-is-said-again",
        "What an attempt that was given up had said is said again on the next connection.",
        "scoop_ft.worker.session:WorkerSession._forget_abandoned",
        "if not self._abandoned:",
        "if True:",
    ),
    Mutant(
        "outdated-attempt-is-served",
        "An attempt that was cut off gets what a later one has put at its ordinals.",
        "scoop_ft.broker.families:Family.is_outdated",
        'return self.author not in (b"", session)',
        "return False",
    ),
    Mutant(
        "unrecorded-is-kept",
        "Workers keep what nobody has recorded, and nobody will submit again.",
        "scoop_ft.broker.unrecorded:Unrecorded._let_go",
        "broker.drop(peer, lost, cancelled=True)",
        "pass",
    ),
    Mutant(
        "gone-comes-back",
        "A process that has ended is welcomed when its last hello comes late.",
        "scoop_ft.broker.from_agent:on_gone",
        "b.gone.add(m.session)",
        "pass",
    ),
    Mutant(
        "claimed-twice",
        "Two calls of one run find the same recorded task.",
        "scoop_ft.broker.replay:_take_unclaimed",
        "if not batch.is_claimed(index):",
        "if True:",
    ),
    Mutant(
        "status-of-another",
        "How a result ended is looked up at the beginning of its message.",
        "scoop_ft.broker.book:Book.apply_results",
        "self._finish(batch, a, b, m.status, position + a - start)",
        "self._finish(batch, a, b, m.status, position)",
    ),
    Mutant(
        "synced-forgets-too-much",
        "When a part of what was passed on is synced, all of it is forgotten.",
        "scoop_ft.client.session:Session._on_synced",
        "while self._unsynced and self._synced < m.delivered:",
        "while self._unsynced:",
    ),
    Mutant(
        "abandoned-children-are-kept",
        "The children of a task that is run elsewhere now are not handed back.",
        "scoop_ft.worker.session:WorkerSession.end",
        "self.say(wire.Returned(0, back))",
        "pass",
    ),
    Mutant(
        "turned-away-is-overtaken",
        "There is room again, and what follows something that was turned away overtakes it.",
        "scoop_ft.broker.core:Broker.on_room",
        "self.send(session, wire.Unknown())",
        "self.send(session, wire.Unknown()); self.refused.discard(session)",
    ),
    Mutant(
        "blame-does-not-wait",
        "A death that is told before its task's batch is said again blames nobody.",
        "scoop_ft.broker.from_agent:on_gone",
        "b.await_batch(batch, peer, m, header)",
        "pass",
    ),
    Mutant(
        "dead-root-takes-over",
        "What a dead root had said, read last, replaces the living one.",
        "scoop_ft.broker.hello:_admit",
        "and not _has_other_root(b, m.session)",
        "",
    ),
    Mutant(
        "given-up-comes-back",
        "A batch that is said again brings back the children that were given up.",
        "scoop_ft.broker.from_parent:_serve_again",
        "again=True",
        "again=False",
    ),
    Mutant(
        "welcomed-twice",
        "The answer to the hello of an older connection counts: all is said twice.",
        "scoop_ft.client.session:Session._on_welcome",
        "if self.welcomed:",
        "if False:",
    ),
    Mutant(
        "idle-into-silence",
        "A worker counts its idleness as said though nobody answers.",
        "scoop_ft.worker.session:WorkerSession.flush",
        "if self.idle and self.welcomed and not self._idle_said:",
        "if self.idle and not self._idle_said:",
    ),
    Mutant(
        "hello-is-believed",
        "What was given up between a hello and its answer is not handed back.",
        "scoop_ft.worker.session:WorkerSession._on_welcome",
        "if gone:",
        "if False:",
    ),
    Mutant(
        "answered-twice",
        "An answer counts each time that it comes.",
        "scoop_ft.client.session:Session._on_cancelled",
        "asked = self._asked.pop(m.request, None)",
        "asked = self._asked.get(m.request)",
    ),
    Mutant(
        "copies-of-suspects",
        "What has killed a worker is run on two at once.",
        "scoop_ft.broker.copies:Copies._may_be_copied",
        " or index in batch.attempts",
        "",
    ),
)
