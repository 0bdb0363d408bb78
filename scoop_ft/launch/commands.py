"""How each process of a run is started: its command and its environment.  Starts nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..ids import blake2b
from ..resources import NOTHING
from ..resources import text as resources_text
from ..rundir import RunDir, RunInfo
from ..surroundings import put_scoop

STDOUT_VARIABLE = "SCOOP_FT_STDOUT"  # "lines": somebody reads our stdout line by line


def environment(seed: int, *, stdout_is_read: bool, info: RunInfo | None = None) -> dict[str, str]:
    """Return the environment of a run's processes: hash randomisation is pinned for the run.

    Those that have the script, or load what it has made, need the run's ``info``.
    """
    result = {**os.environ, "PYTHONHASHSEED": str(hash_seed(seed))}
    put_scoop(result, None if info is None else info.scoop)
    if stdout_is_read:
        result[STDOUT_VARIABLE] = "lines"
    return result


def hash_seed(seed: int) -> int:
    """Derive PYTHONHASHSEED (32 bits) from the run's seed."""
    return int.from_bytes(blake2b(str(seed).encode(), digest_size=4).digest(), "little")


def broker(
    run: RunDir, max_attempts: int, *, resume: bool, keep_failed: bool = False,
    recorded_code: bool = False,
) -> list[str]:  # fmt: skip
    """Return the command of the broker.

    It goes on with the journal it finds; ``resume`` tells it that nobody of before is left, and
    that what had failed shall be tried again, unless it is to be kept, with the code that is
    recorded or what there is now.
    """
    command = [sys.executable, *safe_path(), "-m", "scoop_ft.broker", str(run.path)]
    command += ["--max-attempts", str(max_attempts), *(["--resume"] if resume else [])]
    command += ["--keep-failed"] if resume and keep_failed else []
    command += ["--recorded-code"] if resume and recorded_code else []
    return command + (["--edits", str(run.edits_json)] if run.edits_json.exists() else [])


def values() -> list[str]:
    """Return the command of the process that loads recorded values."""
    return [sys.executable, *safe_path(), "-m", "scoop_ft.inspect.values"]


def code_check(run: RunDir) -> list[str]:
    """Return the command of the process that says what functions mean now."""
    return [sys.executable, *safe_path(), "-m", "scoop_ft.code.check", str(run.path)]


def root(run: RunDir, *, again: bool = False) -> list[str]:
    """Return the command of the root; ``again``: one of this launch has died."""
    more = ["--again"] if again else []
    return [sys.executable, *safe_path(), "-m", "scoop_ft.root", str(run.path), *more]


def worker(
    run: RunDir, session: bytes, agent: bytes, resources: Mapping[str, int] = NOTHING,
    *, elsewhere: bool = False,
) -> list[str]:  # fmt: skip
    """Return the command of a worker; ``elsewhere``: its machine may lack what the script needs."""
    return [
        sys.executable,
        *safe_path(),
        "-m",
        "scoop_ft.worker",
        str(run.path),
        "--session",
        session.hex(),
        "--agent",
        agent.hex(),
        "--slate",
        str(run.slate(session)),
        *(["--resources", resources_text(resources)] if resources else []),
        *(["--elsewhere"] if elsewhere else []),
    ]


def safe_path() -> list[str]:
    """Keep a user's ``random.py`` in the current folder from being our own, where Python can.

    What the script imports is the script's matter: it has its own folder in front, as ever.
    """
    package_parent = Path(__file__).resolve().parents[2]
    if sys.version_info < (3, 11) or package_parent == Path.cwd():
        return []
    return ["-P"]
