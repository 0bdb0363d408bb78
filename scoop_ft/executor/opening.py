"""The run directory of an `Executor`: a new one, or one that is opened again.

All that can be refused is refused here, before anything is started, as `launch.launcher` does for
``scoop-ft run`` and ``resume``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import RunError
from ..launch import edited
from ..launch.lock import RunLock
from ..launch.processes import usable_cores
from ..rundir import DEFAULT_MAX_ATTEMPTS, RunDir, RunInfo, new_run_id
from .left_behind import RUN, mark, new_folder


@dataclass(frozen=True)
class Opened:
    """A run that is ours: nobody else can open it until the lock is given back.

    Attributes
    ----------
    temporary : bool
        It goes with the executor.
    again : bool
        It has been opened before.
    """

    directory: RunDir
    info: RunInfo
    lock: RunLock
    temporary: bool
    again: bool


def open_run(
    run_dir: str | os.PathLike[str] | None, workers: int | None, edits: str | None,
    durability: str | None,
) -> Opened:  # fmt: skip
    """Make a run directory, or open one again.

    Parameters
    ----------
    run_dir : path or None
        None: a temporary one.
    workers : int or None
    edits : {"redo", "keep", None}
        What to do about results of functions that were edited since.
    durability : {"synced", "none", None}
        None: as before, at first synced.
    """
    if run_dir is None:
        return _new(new_folder(RUN), workers, durability, temporary=True)
    directory = RunDir(run_dir)
    if not directory.run_json.exists():
        return _new(directory, workers, durability, temporary=False)
    return _again(directory, workers, edits, durability)


def _new(
    directory: RunDir, workers: int | None, durability: str | None, *, temporary: bool
) -> Opened:
    now = time.time()
    script = main_script()
    info = RunInfo(
        run=new_run_id(now),
        script=script,
        args=sys.argv[1:] if script else [],
        cwd=os.getcwd(),
        seed=secrets.randbits(32),
        workers=workers or usable_cores(),
        python=sys.executable,
        created=now,
        max_attempts=DEFAULT_MAX_ATTEMPTS,
        path=os.path.dirname(os.path.realpath(script)) if script else "",
        import_path=_import_path(),
        durability=durability or "synced",
    )
    directory.create(info)
    return _locked(directory, info, temporary=temporary, again=False)


def _again(
    directory: RunDir, workers: int | None, edits: str | None, durability: str | None
) -> Opened:
    import msgspec

    before = directory.info()
    script = main_script()
    info = msgspec.structs.replace(
        before,
        script=script,
        args=sys.argv[1:] if script else [],
        cwd=os.getcwd(),
        workers=workers or before.workers,
        python=sys.executable,
        path=os.path.dirname(os.path.realpath(script)) if script else "",
        import_path=_import_path(),
        stale_results=edits or "",
        recorded_code=False,  # it is here, and brings its code
        durability=durability or before.durability,
    )
    opened = _locked(directory, info, temporary=False, again=True)
    try:
        found, functions = edited.survey(directory, unsafe_filesystem=info.unsafe_filesystem)
        directory.save_info(info)  # where the functions are now is asked with it
        with _in_our_words():
            edited.settle(directory, info, functions, edits, saved=bool(found.get("saved")))
    except BaseException:
        opened.lock.release()
        raise
    return opened


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except RunError as error:
        text = str(error).replace(edited.MEND, "\nmend it, and open it again")
        if "--redo-changed" in text:
            text = (
                f'{text.partition(": resume with")[0]}: open it with edited="redo" to compute '
                'them again, or with edited="keep" to keep them'
            )
        raise RunError(text) from None


def _locked(directory: RunDir, info: RunInfo, *, temporary: bool, again: bool) -> Opened:
    lock = RunLock(directory)
    lock.acquire()
    if temporary:
        mark(directory)
    directory.choose_endpoint()
    for folder in (directory.slates, directory.logs):
        folder.mkdir(mode=0o700, exist_ok=True)
    for slate in directory.slates.iterdir():
        slate.unlink(missing_ok=True)
    return Opened(directory, info, lock, temporary, again)


def main_script() -> str:
    """Return the script that workers may import to know its functions; empty where there is none.

    That is so for a script that was started by its name and has a main guard.  The functions of
    one without, of a notebook or of ``python -m`` travel by value: to import those again would
    start all that they do, or is not possible.
    """
    from ..main_guard import has_main_guard

    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if (
        not isinstance(path, str)
        or not path.endswith(".py")
        or getattr(main, "__spec__", None) is not None
        or hasattr(sys, "ps1")
    ):
        return ""
    path = os.path.abspath(path)
    return path if has_main_guard(path) else ""


def _import_path() -> list[str]:
    """Return where this process finds modules, so that workers find the same."""
    return list(dict.fromkeys(os.path.abspath(place) for place in sys.path))
