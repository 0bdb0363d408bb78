"""``python -m scoop_ft script.py args``, and every command of ``scoop-ft``.

The process ends here as soon as its command has: taking the interpreter apart takes ten
milliseconds, and whoever has typed the command waits for them.
"""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

from . import cli


def main() -> NoReturn:
    """Run a command line, and end this process."""
    _fill_streams()
    _show_all()
    code = cli.main()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by whoever has started this
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # it says what could not be written
    os._exit(code)


def _fill_streams() -> None:
    """Let standard streams that are closed lead nowhere, here and in all that is started.

    Or a socket or the journal is opened in the place of one, and written to by what a task prints.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free


def _show_all() -> None:
    """Let what a terminal has no character for be shown as an escape: it is no error of ours."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
