"""``python -m scoop_ft script.py args``, and every command of ``scoop-ft``.

The process ends here as soon as its command has: taking the interpreter apart takes ten
milliseconds, and whoever has typed the command waits for them.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from . import cli, streams


def main() -> NoReturn:
    """Run a command line, and end this process."""
    streams.open_closed()
    streams.show_all()
    code = cli.main()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by whoever has started this
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # it says what could not be written
    os._exit(code)


if __name__ == "__main__":
    main()
