"""What was read through the map is given back, and can be read again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from scoop_journal import Journal

MB = 1 << 20
RECORDS = 64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def of_files_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) / 1024
    raise LookupError("RssFile")


def test_pages_that_were_read_are_given_back(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal", "a-run") as journal:
        for number in range(RECORDS):
            journal.append(1, b"", b"", [bytes([number]) * MB])
        journal.commit()
        before = of_files_mb()

        def read() -> None:
            with journal.reading() as view:
                for number in range(RECORDS):
                    buffer = view.buffer(1 + 2 * number, 0)
                    assert bytes(buffer) == bytes([number]) * MB
                    assert buffer == view.record(1 + 2 * number).buffers[0]
                journal.forget_pages()  # a view that is open goes on
                assert bytes(view.buffer(1, 0)[:4]) == bytes(4)

        read()
        journal.forget_pages()
        assert of_files_mb() - before < RECORDS / 4
        for number in range(RECORDS):
            with journal.reading() as view:
                assert bytes(view.buffer(1 + 2 * number, 0)) == bytes([number]) * MB
        assert of_files_mb() - before > RECORDS / 2, "reading takes none: what is this test for?"
        journal.forget_pages()
        assert of_files_mb() - before < RECORDS / 4


def test_where_no_descriptor_is_free_they_stay(tmp_path: Path) -> None:
    import resource

    with Journal.create(tmp_path / "journal", "a-run") as journal:
        journal.append(1, b"", b"payload")
        journal.commit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open(os.devnull) as newest:
            least = newest.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                open(os.devnull).close()
            journal.forget_pages()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
