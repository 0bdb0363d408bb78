"""The shim: compiled with the machine's own C compiler, and the environment that puts it to work.

Started in a run's environment it is loaded into every process of that run, and acts in the broker
only.  Nothing here starts a run.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("shim.c")


class Fault(NamedTuple):
    """Which call on the journal's file fails, and how.

    Attributes
    ----------
    call : str
        "write" or "sync".
    at : int
        The n-th such call of a broker, from 1 on.
    number : int
        The error: ``errno.EIO`` or ``errno.ENOSPC``.
    lasting : bool
        All calls from then on fail, in brokers started later too, until the folder has a file
        ``room``; else only that one, once a run.
    """

    call: str
    at: int
    number: int
    lasting: bool

    def __str__(self) -> str:
        how = "from then on" if self.lasting else "once"
        return f"{errno.errorcode[self.number]} at {self.call} {self.at}, {how}"


def why_not() -> str:
    """Say why the shim cannot be used on this machine; empty when it can."""
    if sys.platform != "linux":
        return f"no LD_PRELOAD shim on {sys.platform}"
    return "" if _compiler() else "no C compiler"


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


def build(folder: Path) -> Path:
    """Compile the shim into a folder; return the library's path."""
    compiler = _compiler()
    if compiler is None:
        raise RuntimeError("no C compiler")
    library = folder / "shim.so"
    if not library.exists():
        options = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-pthread"]
        command = [compiler, *options, "-o", str(library), str(SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the shim does not compile:\n{done.stderr}")
    return library


def environment(library: Path, folder: Path, fault: Fault | None = None) -> dict[str, str]:
    """Return the environment of a run whose broker is watched.

    Logs go to ``folder/log``; see `Fault` for the files ``mark`` and ``room``.
    """
    logs = folder / "log"
    logs.mkdir(exist_ok=True)
    result = {**os.environ, "LD_PRELOAD": str(library), "SHIM_LOG": str(logs)}
    if fault is not None:
        how = "lasting" if fault.lasting else "once"
        result["SHIM_FAULT"] = f"{fault.call}:{fault.at}:{fault.number}:{how}"
        result["SHIM_MARK"] = str(folder / "mark")
        result["SHIM_ROOM"] = str(folder / "room")
    return result
