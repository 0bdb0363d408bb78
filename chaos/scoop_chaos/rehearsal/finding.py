"""What is found, how grave it is, and the evidence that all who look for it share.

Three weights.  `UNSAFE`: a resumed run asks for other calls than were recorded, or ends
otherwise.  `BUT`: resume does what it promises, and still two runs do not agree.  `FINE`: said so
that nobody wonders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from scoop_journal import Reader, View

from scoop_ft.inspect.wording import join

from .compare import Comparison, compare
from .rounds import Round
from .suspects import suspects, taken_as_they_come

EXAMPLES = 3
GENERATOR = "numpy.random.default_rng([seed, member])"


class Weight(IntEnum):
    """How grave a finding is."""

    FINE = 0
    BUT = 1
    UNSAFE = 2


@dataclass
class Finding:
    """One thing that was not the same.

    Attributes
    ----------
    weight : Weight
    brief : str
        For the verdict's line.
    text : str
        What was seen, in a sentence.
    details : list of str
        Examples, a line each.
    advice : str
        What it means and what to do.
    """

    weight: Weight
    brief: str
    text: str
    details: list[str] = field(default_factory=list)
    advice: str = ""


class Evidence:
    """All rounds of a script, side by side.

    Parameters
    ----------
    first, replay : Round
        The undisturbed round, and the script run again on what that has recorded.
    others : sequence of Round
        The rounds with kills.

    Attributes
    ----------
    compared : list of (Round, Comparison)
        The rounds with kills, each compared with the undisturbed one.
    """

    def __init__(self, first: Round, replay: Round, others: Sequence[Round]) -> None:
        self.first = first
        self.replay = replay
        self.others = others
        self.info = first.directory.info()
        self.script = Path(self.info.script)
        self._readers: dict[Path, Reader] = {}
        self.compared: list[tuple[Round, Comparison]] = [
            (other, compare(first.table, other.table)) for other in others
        ]

    @contextmanager
    def view(self, one: Round) -> Iterator[View]:
        """Read the journal of a round; it stays open until `close`."""
        reader = self._readers.get(one.directory.journal)
        if reader is None:
            reader = Reader.open(one.directory.journal)
            self._readers[one.directory.journal] = reader
        with reader.reading() as view:
            yield view

    def close(self) -> None:
        """Close the journals."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    @property
    def again(self) -> list[Round]:
        """The rounds in which the script was run again."""
        return [self.replay, *self.others]

    def hint(self, *, tasks: bool = False) -> str:
        """Say where in the script to look; ``tasks``: for what tasks compute."""
        found = suspects(self.script, tasks=tasks)
        ordered = [] if tasks else taken_as_they_come(self.script)
        said = []
        if found:
            said.append(f"In {self.script.name}, look at {_lines(found)}.")
        if ordered:
            said.append(
                f"Results come in another order each time: what is done with them as they come, by "
                f"{_lines(ordered)}, must not depend on it."
            )
        return " ".join(said) or (
            "Look for the clock, unseeded random numbers, the order of files in a folder, and "
            "files that an earlier run has written."
        )


def _lines(found: Sequence[tuple[str, int]]) -> str:
    return join([f"{name.removeprefix('scoop_ft.')} (line {line})" for name, line in found])
