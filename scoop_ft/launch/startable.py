"""Whether a script can be started: by the root now, and read again by workers and a resume.

Reads and compiles its source; runs nothing of it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import RunError


def check_script(script: str) -> str:
    """Return the absolute path of a script that can be started.

    Raises
    ------
    RunError
        It cannot; the message says why.
    """
    try:
        if Path(script).is_dir():
            raise RunError(
                f"{script} is a folder, not a script: name a file; for a package, write a script "
                "that imports it and calls it under 'if __name__ == \"__main__\":'"
            )
        if not stat.S_ISREG(os.stat(script).st_mode) or _is_an_open_file(script):
            raise RunError(
                f"{script} is no file that workers and a resume could read again: save the script "
                "in a file, and run that"
            )
        with open(script, "rb") as file:
            source = file.read()
    except FileNotFoundError:
        raise RunError(f"there is no script {script}") from None
    except OSError as error:
        raise RunError(f"cannot read the script {script}: {error.strerror}") from error
    try:
        compile(source, script, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}" if error.lineno else script
        raise RunError(f"the script has a syntax error: {where}: {error.msg}") from error
    except ValueError as error:
        raise RunError(f"{script} is not a Python script: {error}") from error
    return os.path.abspath(script)


def _is_an_open_file(path: str) -> bool:
    """Does this name mean another file in each process?"""
    return os.path.abspath(path).startswith(("/dev/stdin", "/dev/fd/", "/proc/"))
