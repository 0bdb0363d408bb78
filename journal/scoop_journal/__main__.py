"""``python -m scoop_journal PATH``: verify a journal and say what is in it.  Read-only."""

from __future__ import annotations

import sys

from .errors import JournalError
from .verify import verify


def main(arguments: list[str]) -> int:
    """Run; the exit code is 0 for a sound journal, 1 for any other, 2 for a wrong call."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m scoop_journal PATH", file=sys.stderr)
        return 2
    try:
        report = verify(arguments[0])
    except JournalError as error:
        print(error, file=sys.stderr)
        return 1
    if not report.ok:
        print(report.problem, file=sys.stderr)
        return 1
    beside = " (its writer is at work: pages were not checked)" if report.live else ""
    print(
        f"{report.path}: sound{beside}; run {report.run}, {report.records} records, "
        f"{report.blobs} blobs, {report.size_bytes} bytes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
