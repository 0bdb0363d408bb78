"""Mistakes about checkpoints and durable steps: what is kept, by whom, and what it stands for.

Those that no seed has caught within a thousand stand apart; each has a unit test.
"""

from __future__ import annotations

from .mutant import Mutant

_BOOK = "scoop_ft.broker.book:Book"
_KEPT = "scoop_ft.broker.kept:Kept"
_KEEPING = "scoop_ft.broker.keeping"
_CLIENT = "scoop_ft.client.kept"

KEEPING = (
    Mutant(
        "truncates-what-is-waited-for",
        "A checkpoint drops batches whose results its parent still waits for.",
        f"{_BOOK}.apply_checkpoint",
        "and not _wants(m.wanted, family, batch)",
        "",
    ),
    Mutant(
        "older-checkpoint-stays",
        "A checkpoint that another has replaced stays in the journal.",
        f"{_KEPT}.save",
        "needless = [] if self.checkpoint is None else [self.checkpoint[:2]]",
        "needless: list[Records] = []",
    ),
    Mutant(
        "kept-outlives-its-task",
        "What an ended task had kept stays in the journal.",
        f"{_BOOK}._finish",
        "self._drop_kept(batch, start, stop)",
        "pass",
    ),
    Mutant(
        "anybody-saves",
        "A worker that has lost a task saves its state over that of the next attempt.",
        f"{_KEEPING}:on_checkpoint",
        "if not runs_here(b, peer, m.parent, m, header, frames):",
        "if b.book.task(m.parent) is None and m.parent != bytes(20):",
    ),
    Mutant(
        "step-recorded-twice",
        "A step that is said again takes the place of the first one.",
        f"{_KEEPING}:on_step",
        "return  # the first one counts",
        "pass",
    ),
    Mutant(
        "step-returned-before-its-sync",
        "The value of a durable step is returned before it is on disk.",
        f"{_CLIENT}:once",
        "runtime.wait(lambda: receipt.acknowledged, (), None)",
        "pass",
    ),
    Mutant(
        "saved-before-its-sync",
        "A checkpoint that was to be waited for is not waited for.",
        f"{_CLIENT}:save",
        "runtime.wait(lambda: receipt.acknowledged, (), None)",
        "pass",
    ),
    Mutant(
        "step-is-not-found",
        "A step that is recorded under another number is made once more.",
        f"{_KEPT}.find_step",
        "return numbers[at] if at < len(numbers) else None",
        "return None",
    ),
)

UNCAUGHT = (
    Mutant(
        "anybody-steps",
        "A worker that has lost a task records its durable steps.",
        f"{_KEEPING}:on_step",
        "if not runs_here(b, peer, m.parent, m, header, frames):",
        "if b.book.task(m.parent) is None and m.parent != bytes(20):",
    ),
    Mutant(
        "said-again-is-run-again",
        "A batch that is said again after the checkpoint that outdates it is run again.",
        f"{_KEPT}.makes_needless",
        "self.checkpoint is not None",
        "False",
    ),
    Mutant(
        "numbers-begin-anew",
        "A parent that goes on from its checkpoint numbers its children from the beginning.",
        f"{_CLIENT}:load",
        "scope.go_on_at(answer.next)",
        "pass",
    ),
)
