"""Verify a journal as a whole, read-only: pages, metadata, every record and blob."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .condition import DECISIONS, Found, Intent, inspect, inspect_file
from .layout import DATA_FILE
from .ownership import has_owner
from .reader import Reader


class Report(NamedTuple):
    """What was found.

    ``problem`` is empty when all is well; ``live`` says that a writer was at work, so that the
    records were verified but not the pages at rest.
    """

    path: Path
    problem: str
    live: bool
    run: str = ""
    records: int = 0
    blobs: int = 0
    size_bytes: int = 0
    seq: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the journal is sound."""
        return not self.problem


def verify(path: str | os.PathLike[str]) -> Report:
    """Verify a journal; whatever is wrong is in the report, not raised."""
    folder = Path(path)
    finding = inspect_file(folder)
    live = finding.found is Found.SOUND and has_owner(folder)
    finding = inspect(folder, live=live)
    decision = DECISIONS[finding.found][Intent.USE]
    if decision.refusal is not None:
        problem = decision.message.format(path=folder, detail=finding.detail)
        return Report(folder, problem, live, seq=finding.seq)
    with Reader.open(folder, unsafe_filesystem=True) as reader:
        return Report(
            folder,
            "",
            live,
            reader.meta.run,
            sum(1 for _ in reader.scan()),
            sum(1 for _ in reader.blobs()),
            (folder / DATA_FILE).stat().st_size,
        )
