"""Journals for the tests: real ones under ``tmp_path``, and programs that run in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journal_subject import Subject
from scoop_journal import Journal, MemoryJournal
from scoop_journal.base import BaseJournal

PROGRAMS = Path(__file__).parent / "programs"
LIBRARY = Path(sys.modules["scoop_journal"].__file__ or "").parent.parent


def _reopen_disk(journal: BaseJournal) -> BaseJournal:
    assert isinstance(journal, Journal)
    journal.close()
    return Journal.open(journal.path)


def _reopen_memory(journal: BaseJournal) -> BaseJournal:
    assert isinstance(journal, MemoryJournal)
    journal.crash()
    return journal


@pytest.fixture(params=["disk", "memory"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """One journal of each sort: the contract holds for both."""
    if request.param == "disk":
        subject = Subject(Journal.create(tmp_path / "journal", "a-run"), _reopen_disk)
    else:
        subject = Subject(MemoryJournal("a-run"), _reopen_memory)
    yield subject
    subject.journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal may be made."""
    return tmp_path / "journal"


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program of this folder; whatever still lives at the test's end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(
        program: str, *arguments: object, before: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, str(PROGRAMS / program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
